import { context, type Meter, propagation, type Tracer } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import { observeLostLines, observeProcess } from './process-metrics.ts';
import { noopTracer, openTracing } from './tracing.ts';

export interface TelemetryOptions {
  readonly service: string;
  readonly version: string;
  /** OTLP/HTTP base URL, such as `http://127.0.0.1:4318`. Null: no spans are made at all. */
  readonly otlpEndpoint: string | null;
  /** Lines that the log of this process could not take. */
  readonly lostLogLines?: () => number;
}

/** Metrics and traces of one service process. */
export interface Telemetry {
  readonly meter: Meter;
  /** Makes no spans, at no cost, when there is no endpoint. */
  readonly tracer: Tracer;
  /** All metrics in Prometheus' text format (version 0.0.4). */
  prometheusText(): Promise<string>;
  /** Sends what is buffered and stops. */
  close(): Promise<void>;
}

/**
 * Opens telemetry through OpenTelemetry JS. Metrics are pulled (`prometheusText`); spans are pushed by OTLP,
 * whose exporter is loaded only when there is an endpoint. A collector that is away costs dropped spans,
 * never a failed call.
 */
export async function openTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const resource = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: options.service,
    [ATTR_SERVICE_VERSION]: options.version,
  });
  // The exporter is a metric reader; its own HTTP server stays off, because every service has one port for this.
  const reader = new PrometheusExporter({ preventServerStart: true });
  const meters = new MeterProvider({ resource, readers: [reader] });
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const tracing =
    options.otlpEndpoint === null ? null : await openTracing(options.service, resource, options.otlpEndpoint);
  const meter = meters.getMeter(options.service);
  observeProcess(meter);
  if (options.lostLogLines !== undefined) observeLostLines(meter, options.lostLogLines);
  return {
    meter,
    tracer: tracing?.tracer ?? noopTracer(),
    async prometheusText() {
      const { resourceMetrics } = await reader.collect();
      return serializer.serialize(resourceMetrics);
    },
    async close() {
      await tracing?.close();
      await meters.shutdown();
      if (tracing !== null) {
        context.disable();
        propagation.disable();
      }
    },
  };
}
