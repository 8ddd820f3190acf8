import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  type ClientSessionRequestOptions,
  type Http2SecureServer,
  type Http2Server,
  type Http2Session,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerOptions,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock } from '@flotilla/runtime';
import type { OnError } from './errors.ts';
import { KeepAlivePing } from './keep-alive-ping.ts';
import { ownServer } from './tcp.ts';
import { ownTlsServer, type TlsServerOwner } from './tls.ts';

export { KeepAlivePing, type KeepAliveSettings } from './keep-alive-ping.ts';

/** A session whose streams are opened by `openHttp2Stream` alone, so that none is without an owner. */
export type ClientSession = Omit<ClientHttp2Session, 'request'>;

/** Begins a client's session, as `http2.connect`. A socket that `createConnection` gives needs an owner of its own. */
export function connectHttp2(
  authority: string | URL,
  options: ClientSessionOptions | SecureClientSessionOptions,
  onError: OnError,
): ClientSession {
  return http2.connect(authority, options).on('error', onError);
}

/** Begins a stream. Throws as Node does when the session takes none any more. */
export function openHttp2Stream(
  session: ClientSession,
  fields: OutgoingHttpHeaders,
  options: ClientSessionRequestOptions,
  onError: OnError,
): ClientHttp2Stream {
  // It is one: only its type hides the method.
  return (session as ClientHttp2Session).request(fields, options).on('error', onError);
}

/** A server's session over a connection that was accepted elsewhere. Its streams are their receiver's to own. */
export function acceptHttp2(socket: Duplex, options: ServerOptions, onError: OnError): ServerHttp2Session {
  return http2.performServerHandshake(socket, options).on('error', onError);
}

export interface Http2ServerOwner {
  /** Accepting failed; the server goes on. */
  readonly onError: OnError;
  /** A session broke, such as by a peer that speaks something else; it is closed. */
  readonly onSessionError: OnError;
  /** Asks each client whether it is still there, and lets go of it when it does not say so. */
  readonly keepAlive: { readonly intervalMs: number; readonly timeoutMs: number; readonly clock: Clock };
}

/** A server for HTTP/2 with prior knowledge, to be used by a listener for requests; it does not listen yet. */
export function createHttp2Server(options: ServerOptions, owner: Http2ServerOwner): Http2Server {
  const server = http2.createServer(options);
  ownServer(server, owner.onError);
  server.prependListener('connection', (socket: Duplex) => void socket.on('error', owner.onSessionError));
  ownSessions(server, owner);
  return server;
}

/** A server for HTTP/2 over TLS, to be used by a listener for requests; it does not listen yet. */
export function createSecureHttp2Server(
  options: SecureServerOptions,
  owner: Http2ServerOwner & TlsServerOwner,
): Http2SecureServer {
  const server = http2.createSecureServer(options);
  ownTlsServer(server, owner);
  ownSessions(server, owner);
  return server;
}

/** Node gives errors of a server's sessions and of the streams behind its requests to the server. */
function ownSessions(server: Http2Server | Http2SecureServer, { onSessionError, keepAlive }: Http2ServerOwner): void {
  server.on('sessionError', onSessionError);
  server.on('session', (session: Http2Session) => {
    const ping = KeepAlivePing.start(session, keepAlive, keepAlive.clock);
    session.once('close', () => ping?.stop());
  });
}
