import type { NodeHandler } from '@flotilla/rpc/server';
import type { Telemetry } from '@flotilla/observe';
import type { Readiness } from './readiness.ts';

/**
 * What operators' tools ask for: `/healthz` (the process runs), `/readyz` (it can serve; 503 with a line for each thing
 * that is waited for) and `/metrics` for Prometheus. Only GET and HEAD.
 */
export function operationsPages(telemetry: Pick<Telemetry, 'prometheusText'>, readiness: Readiness): NodeHandler {
  return (request, response) => {
    const answer = (status: number, type: string, body: string): void => {
      response.statusCode = status;
      response.setHeader('content-type', type);
      response.end(body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, 'text/plain', 'only GET\n');
      return;
    }
    switch (request.url?.split('?', 1)[0]) {
      case '/metrics':
        void telemetry.prometheusText().then(
          (text) => answer(200, 'text/plain; version=0.0.4', text),
          (error: unknown) => answer(500, 'text/plain', String(error)),
        );
        return;
      case '/healthz':
        answer(200, 'text/plain', 'ok\n');
        return;
      case '/readyz':
        if (readiness.isReady()) answer(200, 'text/plain', 'ok\n');
        else
          answer(
            503,
            'text/plain',
            readiness
              .missing()
              .map((why) => `not ready: ${why}\n`)
              .join(''),
          );
        return;
      default:
        answer(404, 'text/plain', 'not found: there are /metrics, /healthz and /readyz\n');
    }
  };
}
