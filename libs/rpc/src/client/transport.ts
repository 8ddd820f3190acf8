import type { Interceptor, Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { type Clock, FlotillaError, systemClock } from '@flotilla/runtime';
import { compileConnect, type ClientTls } from './connect.ts';
import { nameConnectionFailures } from './failures.ts';
import { createSessions } from './sessions.ts';

export interface RpcTransportOptions {
  /** `http://host:port` for HTTP/2 with prior knowledge, or `https://host:port`. */
  readonly url: string;
  readonly tls?: ClientTls;
  /** Sent as `authorization: Bearer …`; a function is asked for each call. */
  readonly token?: string | (() => string | null);
  /** Default `grpc`. */
  readonly protocol?: 'grpc' | 'connect';
  /** Limit of one message, either way. Default 64 MiB. */
  readonly maxMessageBytes?: number;
  readonly clock?: Clock;
}

// A peer that stands still or is cut off is noticed after the sum of both.
const KEEP_ALIVE = { intervalMs: 10_000, timeoutMs: 10_000 };
const IDLE_TIMEOUT_MS = 60_000;

/** A transport that owns connections. */
export interface RpcTransport extends Transport {
  /** Closes the connections; calls in flight fail as canceled. */
  close(): void;
}

/**
 * Calls over one HTTP/2 connection, which is opened by the first call and reopened when it is lost. When the identity
 * changes, calls move to a new connection that uses the new certificate. Calls fail with `ConnectError`; see
 * `fromConnectError`. Throws `invalid` for a URL that cannot be used.
 */
export function createRpcTransport(options: RpcTransportOptions): RpcTransport {
  const url = parseUrl(options.url, options.tls !== undefined);
  const sessions = createSessions(url.origin, compileConnect(url, options.tls), {
    keepAlive: KEEP_ALIVE,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    clock: options.clock ?? systemClock,
  });
  const unsubscribe = options.tls?.identity?.subscribe(() => sessions.renew());
  const maxMessageBytes = options.maxMessageBytes ?? 64 * 1024 * 1024;
  const createTransport = options.protocol === 'connect' ? createConnectTransport : createGrpcTransport;
  const transport = createTransport({
    baseUrl: url.origin,
    httpVersion: '2',
    sessionManager: sessions,
    interceptors: [
      nameConnectionFailures(url.origin),
      ...(options.token === undefined ? [] : [authorize(options.token)]),
    ],
    // Within a data centre the bytes are cheaper than the time to compress them.
    acceptCompression: [],
    readMaxBytes: maxMessageBytes,
    writeMaxBytes: maxMessageBytes,
  });
  return {
    unary: transport.unary.bind(transport),
    stream: transport.stream.bind(transport),
    close() {
      unsubscribe?.();
      sessions.close();
    },
  };
}

function authorize(token: string | (() => string | null)): Interceptor {
  return (next) => (request) => {
    const value = typeof token === 'function' ? token() : token;
    if (value !== null) request.header.set('authorization', `Bearer ${value}`);
    return next(request);
  };
}

function parseUrl(text: string, hasTls: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.pathname !== '/') {
    throw new FlotillaError('invalid', `"${text}" is not the URL of a server`, {
      hint: 'Write http://host:port or https://host:port.',
    });
  }
  if (hasTls && url.protocol === 'http:') {
    throw new FlotillaError('invalid', `"${text}" is plaintext, but TLS settings were given`, {
      hint: 'Write https://host:port.',
    });
  }
  return url;
}
