export { createLogger, silentLogger, type Logger, type LoggerOptions, type LogLevel } from './logger.ts';
export { openTelemetry, type Telemetry, type TelemetryOptions } from './telemetry.ts';
export { noopTracer, traceFields } from './tracing.ts';
