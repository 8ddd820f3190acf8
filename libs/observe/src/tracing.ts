import { context, propagation, type Tracer, trace } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';

/** A tracer whose spans are never recorded. */
export function noopTracer(): Tracer {
  // Without a registered provider the API hands out no-op tracers.
  return trace.getTracer('off');
}

export interface Tracing {
  readonly tracer: Tracer;
  close(): Promise<void>;
}

/** Opens span export by OTLP/HTTP to `<endpoint>/v1/traces`, with W3C trace context across async calls. */
export async function openTracing(service: string, resource: Resource, endpoint: string): Promise<Tracing> {
  const [sdk, { OTLPTraceExporter }, { AsyncLocalStorageContextManager }, { W3CTraceContextPropagator }] =
    await Promise.all([
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/context-async-hooks'),
      import('@opentelemetry/core'),
    ]);
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` });
  const provider = new sdk.TracerProvider({
    resource,
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter, scheduledDelayMillis: 1_000 })],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return { tracer: provider.getTracer(service), close: () => provider.shutdown() };
}

/** Ids of the span in force, for log records; empty outside a span. */
export function traceFields(): { trace_id?: string; span_id?: string } {
  const span = trace.getActiveSpan();
  if (span === undefined) return {};
  const { traceId, spanId } = span.spanContext();
  return { trace_id: traceId, span_id: spanId };
}
