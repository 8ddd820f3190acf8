import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request,
  type RequestListener,
  type RequestOptions,
  type Server,
  type ServerOptions,
} from 'node:http';
import type { SocketAddress } from '@flotilla/runtime';
import type { OnError } from './errors.ts';
import { ownServer } from './tcp.ts';

/** A peer that neither sends nor takes a byte for so long is cut off, unless the server's owner says otherwise. */
const SILENCE_TIMEOUT_MS = 60_000;

export interface HttpServerOwner {
  /** Accepting failed; the server goes on. */
  readonly onError: OnError;
  /** A request or an answer broke; its connection is closed. */
  readonly onMessageError: OnError;
}

/**
 * An HTTP/1.1 server that does not listen yet. Requests that are no HTTP are answered with 400 by Node. A connection
 * without a byte either way for a minute is closed; 0 in `silenceTimeoutMs` turns that off.
 */
export function createHttpServer(
  options: ServerOptions & { readonly silenceTimeoutMs?: number },
  owner: HttpServerOwner,
  handler: RequestListener,
): Server {
  const { silenceTimeoutMs = SILENCE_TIMEOUT_MS, ...serverOptions } = options;
  const { onMessageError } = owner;
  const server = createServer(serverOptions);
  server.setTimeout(silenceTimeoutMs);
  ownServer(server, owner.onError);
  server.on('request', (incoming, response) => {
    incoming.on('error', onMessageError);
    response.on('error', onMessageError);
  });
  server.on('request', handler);
  return server;
}

/**
 * Begins a request, as `http.request`; `end` it. The owner hears of a connection that fails, of an answer that breaks
 * off, and, as an error too, of `timeoutMs` without its whole answer: one that comes a byte at a time is late as well.
 */
export function requestHttp(
  options: RequestOptions & { readonly timeoutMs: number },
  onError: OnError,
  onResponse: (response: IncomingMessage) => void,
): ClientRequest {
  const { timeoutMs, ...requestOptions } = options;
  const outgoing = request(requestOptions, (response) => {
    response.on('error', onError);
    onResponse(response);
  });
  const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  outgoing.on('error', onError).on('close', () => clearTimeout(timer));
  return outgoing;
}

/** An address, or the path of a Unix socket. */
export type HttpTarget = SocketAddress | { readonly socketPath: string };

/** Asks for a page with GET, on a connection of its own. Resolves with the status; null: no whole answer in time. */
export function askHttp(target: HttpTarget, path: string, timeoutMs: number): Promise<number | null> {
  return new Promise((resolve) => {
    const options = { ...target, path, agent: false, timeoutMs };
    const onFailure = (): void => resolve(null);
    requestHttp(options, onFailure, (response) => {
      response.once('end', () => resolve(response.statusCode ?? null)).resume();
    }).end();
  });
}

/** Whether a server answers at all, whatever it says. */
export async function answersHttp(target: HttpTarget, path: string, timeoutMs: number): Promise<boolean> {
  return (await askHttp(target, path, timeoutMs)) !== null;
}
