import { pipeline } from 'node:stream';
import { type HttpPort, openHttpPort } from '@flotilla/http-port';
import type { Logger } from '@flotilla/observe';
import { type Clock, FlotillaError, type SocketAddress } from '@flotilla/runtime';
import { askHttp, requestHttp } from '@flotilla/sockets/http';

const ANSWER_WITHIN_MS = 30_000;

/**
 * Envoy's administration pages on a port of ours: Envoy itself takes what any web page sends, so it listens on a Unix
 * socket that only its user reaches, and the guard stands before it. Rejects with `system` when the port cannot be had.
 */
export function serveEnvoyAdmin(options: {
  /** Where Envoy has its pages. */
  readonly socketPath: string;
  readonly address: SocketAddress;
  readonly hosts: readonly string[];
  readonly logger: Logger;
}): Promise<HttpPort> {
  const { socketPath, address, hosts, logger } = options;
  return openHttpPort({
    name: 'admin',
    address,
    hosts,
    logger,
    handler(request, response) {
      const { url: path, method, headers } = request;
      const asked = requestHttp(
        { socketPath, path, method, headers, timeoutMs: ANSWER_WITHIN_MS },
        (error) => {
          if (response.headersSent) response.destroy();
          else
            response.writeHead(502, { 'content-type': 'text/plain' }).end(`Envoy does not answer: ${error.message}\n`);
        },
        (reply) => {
          response.writeHead(reply.statusCode ?? 502, reply.headers);
          pipeline(reply, response, closePiped);
        },
      );
      response.on('close', () => asked.destroy());
      request.pipe(asked);
    },
  });
}

/** Both ends are closed then, whichever broke. */
function closePiped(): void {}

const POLL_MS = 100;
const READY_TIMEOUT_MS = 1_000;

/** Asks Envoy's `/ready` until it says yes. Rejects with `unavailable` when it is given up. */
export function untilReady(socketPath: string, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const again = (): void => {
      if (signal.aborted) reject(new FlotillaError('unavailable', 'Envoy was stopped before it was ready'));
      else clock.after(POLL_MS, poll, { keepAlive: true });
    };
    const poll = (): void => {
      void askHttp({ socketPath }, '/ready', READY_TIMEOUT_MS).then((status) => (status === 200 ? resolve() : again()));
    };
    poll();
  });
}
