import { ConnectError, type Interceptor } from '@connectrpc/connect';
import { context, propagation, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api';

/**
 * One server span for each call, child of the caller's W3C `traceparent` where there is one. A streaming call's span
 * ends when its first answer is due: how long a watch stays open says nothing about the work behind it.
 * Attributes follow OpenTelemetry's conventions for RPC.
 */
export function traceCalls(tracer: Tracer): Interceptor {
  return (next) => (request) => {
    const parent = propagation.extract(context.active(), Object.fromEntries(request.header.entries()));
    const service = request.service.typeName;
    const method = request.method.name;
    const span = tracer.startSpan(
      `${service}/${method}`,
      {
        kind: SpanKind.SERVER,
        attributes: { 'rpc.system': 'connect_rpc', 'rpc.service': service, 'rpc.method': method },
      },
      parent,
    );
    return context.with(trace.setSpan(parent, span), async () => {
      try {
        return await next(request);
      } catch (thrown) {
        const error = ConnectError.from(thrown);
        span.setAttribute('rpc.connect_rpc.error_code', error.code);
        span.setStatus({ code: SpanStatusCode.ERROR, message: error.rawMessage });
        throw thrown;
      } finally {
        span.end();
      }
    });
  };
}
