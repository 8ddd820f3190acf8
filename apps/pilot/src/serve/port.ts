import type { Server as NetServer, Socket } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from '@flotilla/observe';
import { FlotillaError, formatAddress, type SocketAddress } from '@flotilla/runtime';
import { closeFollows, logged } from '@flotilla/sockets/errors';
import { createTcpServer, listen } from '@flotilla/sockets/tcp';

export interface Port {
  readonly address: SocketAddress;
  /** Ends every connection at once, also those whose clients do not let go. */
  close(): void;
}

/**
 * A port in front of a gRPC server. Connections are accepted here and handed on, because grpc-js itself knows its
 * connections only for channelz, and would leave them open on a shutdown without it. `accepted` is the event of `server`
 * with a connection that is ready for HTTP/2. Throws `system` when the port cannot be had.
 */
export async function openPort(
  grpc: Server,
  server: NetServer,
  accepted: 'connection' | 'secureConnection',
  address: SocketAddress,
): Promise<Port> {
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  };
  server.on('connection', track);
  if (accepted !== 'connection') server.on(accepted, track);
  server.on(accepted, (socket: Socket) => {
    socket.setNoDelay(true);
    injector.injectConnection(socket);
  });
  try {
    await listen(server, { host: address.host, port: address.port });
  } catch (error) {
    throw FlotillaError.from(error, 'system').within(`xDS port ${formatAddress(address)}`);
  }
  return {
    address: { host: address.host, port: portOf(server) },
    close() {
      injector.destroy();
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A port without TLS, for loopback. */
export function openPlaintextPort(grpc: Server, address: SocketAddress, logger: Logger): Promise<Port> {
  const server = createTcpServer({}, portOwner(address, logger), null);
  return openPort(grpc, server, 'connection', address);
}

/** What a client breaks is an end of its connection; what the port itself cannot do is logged. */
export function portOwner(address: SocketAddress, logger: Logger) {
  return { onError: logged(logger, `accepting on xDS port ${formatAddress(address)}`), onSocketError: closeFollows };
}

function portOf(server: NetServer): number {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new FlotillaError('internal', 'the xDS port has no address');
  return bound.port;
}
