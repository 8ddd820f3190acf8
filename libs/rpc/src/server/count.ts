import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import type { Meter } from '@opentelemetry/api';

/**
 * Counts calls as `grpc_server_handled_total` by service, method and status code, the names of the gRPC ecosystem, over
 * whichever protocol they came. A streaming call counts when its first answer is due.
 */
export function countCalls(meter: Meter): Interceptor {
  const handled = meter.createCounter('grpc_server_handled_total', { description: 'Calls answered, by status code.' });
  return (next) => async (request) => {
    const labels = { grpc_service: request.service.typeName, grpc_method: request.method.name };
    try {
      const response = await next(request);
      handled.add(1, { ...labels, grpc_code: 'OK' });
      return response;
    } catch (thrown) {
      handled.add(1, { ...labels, grpc_code: Code[ConnectError.from(thrown).code] });
      throw thrown;
    }
  };
}
