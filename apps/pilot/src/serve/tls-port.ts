import type { Server } from '@grpc/grpc-js';
import { DEFAULT_CIPHERS } from '@flotilla/rpc/ciphers';
import type { SocketAddress } from '@flotilla/runtime';
import type { IdentitySource, WorkloadCertificate } from '@flotilla/spiffe';
import type { Logger } from '@flotilla/observe';
import { createTlsServer } from '@flotilla/sockets/tls';
import { openPort, type Port, portOwner } from './port.ts';

// A peer that connects and then says nothing does not hold a socket for long.
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * An mTLS port in front of a gRPC server. TLS ends here and the connection is handed to gRPC, so that a new certificate,
 * or new roots, hold for the next handshake while the connections there are live on.
 */
export async function openTlsPort(
  grpc: Server,
  address: SocketAddress,
  identity: IdentitySource,
  logger: Logger,
): Promise<Port> {
  const server = createTlsServer(
    {
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      ...contextOf(identity.current()),
    },
    {
      ...portOwner(address, logger),
      onHandshakeError: (error, { remoteAddress: peer }) =>
        logger.warn('a client was refused at the mTLS port', { peer, reason: error.message }),
    },
  );
  const unsubscribe = identity.subscribe((certificate) => server.setSecureContext(contextOf(certificate)));
  try {
    const port = await openPort(grpc, server, 'secureConnection', address);
    return {
      address: port.address,
      close() {
        unsubscribe();
        port.close();
      },
    };
  } catch (error) {
    unsubscribe();
    throw error;
  }
}

function contextOf(certificate: WorkloadCertificate | null) {
  // Without a certificate every handshake fails: closed, not open.
  const versions = { minVersion: 'TLSv1.2', ciphers: DEFAULT_CIPHERS } as const;
  if (certificate === null) return versions;
  return { ...versions, cert: certificate.chainPem, key: certificate.privateKeyPem, ca: certificate.rootsPem };
}
