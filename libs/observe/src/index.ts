export { createLogger, silentLogger, type Logger, type LoggerOptions, type LogLevel } from './logger.ts';
export { noopTracer, traceFields } from './tracing.ts';
// The functions that open telemetry stand in '@flotilla/observe/telemetry': a sidecar must not load OpenTelemetry.
export type { Telemetry, TelemetryOptions } from './telemetry.ts';
