import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { type HttpPort, type NodeHandler, openHttpPort } from '@flotilla/http-port';
import type { Logger } from '@flotilla/observe';
import type { SocketAddress } from '@flotilla/runtime';
import { requestHttp } from '@flotilla/sockets/http';

export interface StatusServerOptions {
  readonly address: SocketAddress;
  /** Names of the port beside those that are known by themselves. */
  readonly hosts: readonly string[];
  readonly logger: Logger;
  /** What is missing before the proxy can serve; null when it can. */
  readonly missing: () => string | null;
  /** The proxy's administration address, whose metrics are passed on; null while there is none. */
  readonly admin: () => SocketAddress | null;
}

const METRICS_TIMEOUT_MS = 5_000;

/**
 * What probes and Prometheus ask of a sidecar from outside its loopback: `/healthz` (the agent runs), `/healthz/ready`
 * (Istio's path) and `/readyz` (the proxy serves), `/metrics` and `/stats/prometheus` (the proxy's statistics). Open
 * before the proxy has its identity. Throws `system` when the address cannot be had.
 */
export function serveStatus(options: StatusServerOptions): Promise<HttpPort> {
  const { address, hosts, logger } = options;
  return openHttpPort({ name: 'the status port', address, hosts, logger, handler: statusPages(options) });
}

function statusPages(
  options: Pick<StatusServerOptions, 'missing' | 'admin'>,
): NodeHandler<IncomingMessage, ServerResponse> {
  return (request, response) => {
    const answer = (status: number, body: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain' }).end(body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, 'only GET\n');
      return;
    }
    switch (request.url?.split('?', 1)[0]) {
      case '/healthz':
        answer(200, 'ok\n');
        return;
      case '/readyz':
      case '/healthz/ready': {
        const missing = options.missing();
        answer(missing === null ? 200 : 503, missing === null ? 'ok\n' : `not ready: ${missing}\n`);
        return;
      }
      case '/metrics':
      case '/stats/prometheus': {
        const admin = options.admin();
        if (admin === null) {
          answer(503, 'the proxy has not started\n');
          return;
        }
        passOn(admin, response, (error) => answer(502, `the proxy's statistics cannot be had: ${error.message}\n`));
        return;
      }
      default:
        answer(404, 'not found: there are /healthz, /healthz/ready, /readyz and /metrics\n');
    }
  };
}

/** The proxy's statistics, as they come. */
function passOn(admin: SocketAddress, response: ServerResponse, onFailure: (error: Error) => void): void {
  const { host, port } = admin;
  const from = { host, port, path: '/stats/prometheus', timeoutMs: METRICS_TIMEOUT_MS };
  requestHttp(
    from,
    (error) => {
      if (response.headersSent) response.destroy();
      else onFailure(error);
    },
    (reply) => {
      const type = reply.headers['content-type'] ?? 'text/plain';
      response.writeHead(reply.statusCode ?? 502, { 'content-type': type });
      pipeline(reply, response, closePiped);
    },
  ).end();
}

/** Both ends are closed then, whichever broke. */
function closePiped(): void {}
