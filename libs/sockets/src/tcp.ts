import {
  connect,
  createServer,
  type ListenOptions,
  type NetConnectOpts,
  type Server,
  type ServerOpts,
  type Socket,
} from 'node:net';
import type { OnError } from './errors.ts';

export interface TcpServerOwner {
  /** Accepting failed, such as for want of descriptors; the server goes on. */
  readonly onError: OnError;
  /** An accepted connection broke; it is closed. */
  readonly onSocketError: OnError;
}

/** Begins to connect, as `net.connect`. */
export function connectTcp(options: NetConnectOpts, onError: OnError): Socket {
  return connect(options).on('error', onError);
}

/** A server that does not listen yet. Failing to listen is told by `listen`, not to the owner. */
export function createTcpServer(
  options: ServerOpts,
  owner: TcpServerOwner,
  onConnection: ((socket: Socket) => void) | null,
): Server {
  const { onSocketError } = owner;
  const server = createServer(options);
  ownServer(server, owner.onError);
  server.on('connection', (socket: Socket) => void socket.on('error', onSocketError));
  if (onConnection !== null) server.on('connection', onConnection);
  return server;
}

/** Gives errors of a listening server to this owner. */
export function ownServer(server: Server, onError: OnError): void {
  server.on('error', (error) => {
    if (server.listening) onError(error);
  });
}

/** Resolves when the server listens; rejects with the system's error when it cannot. */
export function listen(server: Server, target: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(target, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
