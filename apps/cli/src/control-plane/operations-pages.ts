import type { Telemetry } from '@flotilla/observe';
import type { NodeHandler } from '@flotilla/rpc';

/**
 * What operators' tools ask for beside the calls on the API port: `/metrics` for Prometheus, `/healthz` and
 * `/readyz` for probes. The port answers only once everything runs, so both probes say the same.
 */
export function operationsPages(telemetry: Telemetry): NodeHandler {
  return (request, response) => {
    const answer = (status: number, type: string, body: string): void => {
      response.statusCode = status;
      response.setHeader('content-type', type);
      response.end(body);
    };
    switch (request.url) {
      case '/metrics':
        void telemetry.prometheusText().then(
          (text) => answer(200, 'text/plain; version=0.0.4', text),
          (error: unknown) => answer(500, 'text/plain', String(error)),
        );
        return;
      case '/healthz':
      case '/readyz':
        answer(200, 'text/plain', 'ok\n');
        return;
      default:
        answer(404, 'text/plain', 'not found: /metrics, /healthz, /readyz and the calls of proto/flotilla are here\n');
    }
  };
}
