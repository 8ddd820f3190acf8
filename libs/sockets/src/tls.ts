import type { Socket } from 'node:net';
import { connect, type ConnectionOptions, createServer, type Server, type TlsOptions, type TLSSocket } from 'node:tls';
import type { OnError } from './errors.ts';
import { ownServer } from './tcp.ts';

/** Begins to connect, as `tls.connect`. A socket that is given for it needs an owner of its own. */
export function connectTls(options: ConnectionOptions, onError: OnError): TLSSocket {
  return connect(options).on('error', onError);
}

export interface TlsServerOwner {
  /** Accepting failed; the server goes on. */
  readonly onError: OnError;
  /** A connection broke, before or after its handshake; it is closed. */
  readonly onSocketError: OnError;
  /** A handshake failed. `onSocketError` is not told. */
  readonly onHandshakeError: (error: Error, socket: TLSSocket) => void;
}

/** A server that does not listen yet. The socket of a failed handshake is destroyed when its owner has been told. */
export function createTlsServer(options: TlsOptions, owner: TlsServerOwner): Server {
  const server = createServer(options);
  ownTlsServer(server, owner);
  return server;
}

/** The same for a TLS server that was made by something else, such as an HTTP/2 server. */
export function ownTlsServer(server: Server, { onError, onSocketError, onHandshakeError }: TlsServerOwner): void {
  ownServer(server, onError);
  // Node destroys the raw socket with the TLS socket; what the system says of it meanwhile is nobody else's.
  server.prependListener('connection', (socket: Socket) => void socket.on('error', onSocketError));
  server.prependListener('secureConnection', (socket: TLSSocket) => void socket.on('error', onSocketError));
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    socket.on('error', onSocketError);
    onHandshakeError(error, socket);
    socket.destroy();
  });
}
