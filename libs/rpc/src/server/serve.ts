import type { ServerHttp2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { ConnectRouter } from '@connectrpc/connect';
import { compressionGzip } from '@connectrpc/connect-node';
import type { Meter, Tracer } from '@opentelemetry/api';
import { compileGuard, guardHandler, HTTP_PORT_LIMITS, type NodeHandler } from '@flotilla/http-port';
import { FlotillaError, formatAddress, systemClock, type Clock, type SocketAddress } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { listen } from '@flotilla/sockets/tcp';
import type { Caller } from '../caller.ts';
import { createNodeHandler, replyForbidden, type Routers } from './handler.ts';
import { createHealthStatus, routeHealth, type HealthStatus } from './health.ts';
import { DEFAULT_MAX_CONCURRENT_STREAMS, DEFAULT_MAX_MESSAGE_BYTES, STRANGERS_MAX_MESSAGE_BYTES } from './limits.ts';
import { createPlaintextServer } from './listen-plaintext.ts';
import { createTlsServer, type ServerTls } from './listen-tls.ts';
import { ownerOf } from './owner.ts';
import { routeReflection } from './reflection.ts';
import { createRouter, type Routes } from './router.ts';

export interface ServeRpcOptions {
  /** Where to listen; port 0 takes any free one. */
  readonly address: SocketAddress;
  /** Called twice: for the callers that are known, and for strangers. */
  readonly routes: Routes;
  /** Without it the server is plaintext. */
  readonly tls?: ServerTls;
  readonly logger: Logger;
  /** Makes a span of every call. */
  readonly tracer?: Tracer;
  /** Counts every call, as `grpc_server_handled_total`. */
  readonly meter?: Meter;
  readonly clock?: Clock;
  /** What `grpc.health.v1` says; by default serving until `close`. */
  readonly health?: HealthStatus;
  /** Answers requests that are no calls; by default 404. */
  readonly fallback?: NodeHandler;
  /** Names of this port beside those that are known by themselves (`libs/http-port`, `known-host`). Default: none. */
  readonly hosts?: readonly string[];
  /** Limit of one message, either way. Default 16 MiB; strangers may send no more than 2 MiB. */
  readonly maxMessageBytes?: number;
  /** Who is no stranger, beside whoever has a client certificate that was verified. Default: nobody. */
  readonly isKnown?: (caller: Caller) => boolean;
  /** Per HTTP/2 connection. Default 1000. */
  readonly maxConcurrentStreams?: number;
  /** How long `close` lets calls finish before it cuts them off. Default 5 s. */
  readonly drainMs?: number;
}

export interface RpcServer {
  /** Where it listens, with the real port. */
  readonly address: SocketAddress;
  /** `http://…` or `https://…`. */
  readonly url: string;
  /**
   * Health says not serving, nothing new is accepted, HTTP/2 clients get GOAWAY, streaming calls end with
   * `Unavailable`, unary calls finish; what is left after the drain time is cut off. Idempotent.
   */
  close(): Promise<void>;
}

/**
 * Serves calls over the Connect, gRPC and gRPC-Web protocols on one port, with `grpc.health.v1` and server reflection
 * beside them. Web pages of other origins are refused. Deadlines and errors are those of the protocols; a
 * `FlotillaError` thrown by a handler is mapped by `toConnectError`. Throws `system` when the address cannot be had,
 * `invalid` for a host that is none.
 */
export async function serveRpc(options: ServeRpcOptions): Promise<RpcServer> {
  const { logger } = options;
  const closing = new AbortController();
  const cutOff = new AbortController();
  const health = options.health ?? createHealthStatus();
  const maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  const routerReading = (readMaxBytes: number): ConnectRouter => {
    const router = createRouter(options.routes, {
      logger,
      closing: closing.signal,
      tracer: options.tracer ?? null,
      meter: options.meter ?? null,
      options: {
        acceptCompression: [compressionGzip],
        readMaxBytes,
        writeMaxBytes: maxMessageBytes,
        shutdownSignal: cutOff.signal,
      },
    });
    routeHealth(router, health);
    routeReflection(router);
    return router;
  };
  const routers: Routers = {
    ofKnown: routerReading(maxMessageBytes),
    ofStrangers: routerReading(Math.min(maxMessageBytes, STRANGERS_MAX_MESSAGE_BYTES)),
    isKnown: (caller) => caller.certificate !== null || options.isKnown?.(caller) === true,
  };

  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const onSession = (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    // Calls that are open go on.
    session.setTimeout(HTTP_PORT_LIMITS.idleMs, () => session.close());
    if (closing.signal.aborted) session.close();
  };
  const handle = guardHandler(createNodeHandler(routers, options.fallback ?? null, logger), {
    guard: compileGuard(options.hosts ?? []),
    refuse: replyForbidden,
    logger,
  });
  const handler: NodeHandler = (request, response) => {
    // An HTTP/1.1 connection that was busy when the server began to close has nobody else to end it.
    response.once('close', () => {
      if (closing.signal.aborted && request.httpVersionMajor === 1) request.socket.end();
    });
    handle(request, response);
  };
  const maxConcurrentStreams = options.maxConcurrentStreams ?? DEFAULT_MAX_CONCURRENT_STREAMS;
  const owner = ownerOf(options.address, logger, options.clock ?? systemClock);
  const server =
    options.tls === undefined
      ? createPlaintextServer(handler, onSession, maxConcurrentStreams, owner)
      : createTlsServer(options.tls, handler, onSession, maxConcurrentStreams, logger, owner);
  server.maxConnections = HTTP_PORT_LIMITS.connections;
  server.prependListener('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.setKeepAlive(true, 30_000);
  });
  const address = await listenOn(server, options.address);

  const close = async () => {
    health.set(false);
    closing.abort();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const session of sessions) session.close();
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    const limit = (options.clock ?? systemClock).after(
      options.drainMs ?? 5_000,
      () => {
        cutOff.abort();
        for (const socket of sockets) socket.destroy();
      },
      { keepAlive: true },
    );
    await closed;
    limit.cancel();
    cutOff.abort();
  };
  let closed: Promise<void> | null = null;
  return {
    address,
    url: `${options.tls === undefined ? 'http' : 'https'}://${formatAddress(address)}`,
    close: () => (closed ??= close()),
  };
}

async function listenOn(server: Server, address: SocketAddress): Promise<SocketAddress> {
  try {
    await listen(server, { host: address.host, port: address.port });
  } catch (thrown) {
    // What a server says when it cannot listen.
    const error = thrown as NodeJS.ErrnoException;
    const why = error.code === 'EADDRINUSE' ? 'the port is in use' : error.message;
    throw new FlotillaError('system', `cannot listen on ${formatAddress(address)}: ${why}`, {
      cause: error,
      hint: 'Stop what listens there, or choose another address; port 0 takes any free port.',
    });
  }
  const bound = server.address();
  return { host: address.host, port: typeof bound === 'object' && bound !== null ? bound.port : address.port };
}
