import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Logger } from '@flotilla/observe';
import { FlotillaError, formatAddress, type SocketAddress } from '@flotilla/runtime';
import { closeFollows, logged } from '@flotilla/sockets/errors';
import { createHttpServer, type HttpServerOwner } from '@flotilla/sockets/http';
import { listen } from '@flotilla/sockets/tcp';
import { compileGuard } from './guard.ts';
import { guardHandler, type NodeHandler } from './guard-handler.ts';
import { HTTP_PORT_LIMITS as LIMITS } from './limits.ts';

/** How often a server looks for what is overdue: that late a bound on time may be. */
const CHECK_MS = 1_000;

/** Bounds of HTTP/1.1 connections, for `node:http`, or for `node:http2` as its `http1Options`. */
export const HTTP1_OPTIONS = {
  maxHeaderSize: LIMITS.headerBytes,
  headersTimeout: LIMITS.headersMs,
  requestTimeout: LIMITS.requestMs,
  keepAliveTimeout: LIMITS.keepAliveMs,
  connectionsCheckingInterval: CHECK_MS,
} as const;

export interface HttpPortOptions {
  /** What listens, for its errors: `admin`, `the status port`. */
  readonly name: string;
  /** Port 0 takes any free one. */
  readonly address: SocketAddress;
  readonly handler: NodeHandler<IncomingMessage, ServerResponse>;
  /** Names of this port beside those that are known by themselves: see `compileKnownHosts`. */
  readonly hosts: readonly string[];
  readonly logger: Logger;
  /** Other bounds on time and size than `HTTP1_OPTIONS`. */
  readonly bounds?: ServerOptions;
}

export interface HttpPort {
  /** With the real port. */
  readonly address: SocketAddress;
  /** Ends every connection at once. */
  close(): Promise<void>;
}

/**
 * Opens a plaintext HTTP/1.1 port of ours. Web pages of other origins are kept out (`compileGuard`), and every phase of a
 * connection has a time bound. Rejects with `system` when the address cannot be had, `invalid` for a host that is none.
 */
export async function openHttpPort(options: HttpPortOptions): Promise<HttpPort> {
  const { name, address, logger } = options;
  const guard = compileGuard(options.hosts);
  // Whoever asked has the answer or the end of the connection; there is nobody else to tell.
  const owner = { onError: logged(logger, `accepting on ${name}`), onMessageError: closeFollows };
  const server = createHttp1Server(guardHandler(options.handler, { guard, logger }), owner, options.bounds);
  server.setTimeout(LIMITS.idleMs);
  try {
    await listen(server, { host: address.host, port: address.port });
  } catch (error) {
    throw FlotillaError.from(error, 'system').within(`${name} cannot listen on ${formatAddress(address)}`);
  }
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new FlotillaError('internal', `${name} has no TCP address`);
  return {
    address: { host: bound.address, port: bound.port },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** An HTTP/1.1 server with the bounds of a port of ours. Not listening yet; `handler` must be guarded. */
export function createHttp1Server(
  handler: NodeHandler<IncomingMessage, ServerResponse>,
  owner: HttpServerOwner,
  bounds: ServerOptions = {},
): Server {
  // Calls that stream may be silent for long: a port of pages has a bound of its own.
  const server = createHttpServer({ ...HTTP1_OPTIONS, ...bounds, silenceTimeoutMs: 0 }, owner, handler);
  server.maxConnections = LIMITS.connections;
  return server;
}
