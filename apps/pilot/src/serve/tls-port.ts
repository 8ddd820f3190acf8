import { once } from 'node:events';
import { createServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { ServerCredentials, type Server } from '@grpc/grpc-js';
import { FlotillaError, formatAddress, type SocketAddress } from '@flotilla/runtime';
import type { IdentitySource, WorkloadCertificate } from '@flotilla/spiffe';
import type { Logger } from '@flotilla/observe';

// A peer that connects and then says nothing does not hold a socket for long.
const HANDSHAKE_TIMEOUT_MS = 10_000;

export interface TlsPort {
  readonly address: SocketAddress;
  close(): Promise<void>;
}

/**
 * An mTLS port in front of a gRPC server. TLS ends here and the connection is handed to gRPC, so that a new certificate,
 * or new roots, hold for the next handshake while the connections there are live on.
 */
export async function openTlsPort(
  grpc: Server,
  address: SocketAddress,
  identity: IdentitySource,
  logger: Logger,
): Promise<TlsPort> {
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const server = createServer({
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2'],
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    ...contextOf(identity.current()),
  });
  const sockets = new Set<TLSSocket>();
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.setNoDelay(true);
    injector.injectConnection(socket);
  });
  server.on('tlsClientError', (error, socket) => {
    logger.warn('a client was refused at the mTLS port', { peer: socket.remoteAddress, reason: error.message });
  });
  const unsubscribe = identity.subscribe((certificate) => server.setSecureContext(contextOf(certificate)));
  try {
    await listen(server, address);
  } catch (error) {
    unsubscribe();
    throw error;
  }
  return {
    address: { host: address.host, port: portOf(server) },
    async close() {
      unsubscribe();
      injector.destroy();
      server.close();
      // The server that the sockets were handed to does not end them: each would live until its client's keepalive.
      for (const socket of sockets) socket.destroy();
    },
  };
}

function contextOf(certificate: WorkloadCertificate | null) {
  // Without a certificate every handshake fails: closed, not open.
  if (certificate === null) return {};
  return { cert: certificate.chainPem, key: certificate.privateKeyPem, ca: certificate.rootsPem };
}

async function listen(server: TlsServer, address: SocketAddress): Promise<void> {
  try {
    server.listen(address.port, address.host);
    await once(server, 'listening');
  } catch (error) {
    throw FlotillaError.from(error, 'system').within(`xDS port ${formatAddress(address)}`);
  }
}

function portOf(server: TlsServer): number {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new FlotillaError('internal', 'the mTLS port has no address');
  return bound.port;
}
