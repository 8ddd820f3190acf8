import { constants } from 'node:crypto';
import type { ServerHttp2Session } from 'node:http2';
import type { Server } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { HTTP1_OPTIONS, type NodeHandler } from '@flotilla/http-port';
import { FlotillaError, limit } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { createSecureHttp2Server } from '@flotilla/sockets/http2';
import { type IdentitySource, svidFault, type WorkloadCertificate } from '@flotilla/spiffe';
import { DEFAULT_CIPHERS } from '../ciphers.ts';
import { http2Options } from './limits.ts';
import type { ServerOwner } from './owner.ts';

const HANDSHAKE_TIMEOUT_MS = limit({
  name: 'rpc.handshake',
  what: 'time for a TLS handshake',
  default: 10_000,
  unit: 'ms',
  past: 'the connection is closed',
});

export interface ServerTls {
  /** The server's certificate and the roots that client certificates are verified against; may change at any time. */
  readonly identity: Pick<IdentitySource, 'current' | 'subscribe'>;
  /**
   * `none`: not asked for. `optional`: a client may have none, but one that is shown must verify. `require`: no
   * connection without.
   */
  readonly clientCertificates: 'none' | 'optional' | 'require';
}

/**
 * A server for HTTP/2 and HTTP/1.1 over TLS, chosen by ALPN. A changed certificate is used from the next handshake
 * on; open connections stay. Not listening yet. Throws `unavailable` when the source has no certificate.
 */
export function createTlsServer(
  tls: ServerTls,
  handler: NodeHandler,
  onSession: (session: ServerHttp2Session) => void,
  maxConcurrentStreams: number,
  logger: Logger,
  owner: ServerOwner,
): Server {
  const certificate = tls.identity.current();
  if (certificate === null) throw new FlotillaError('unavailable', 'the server has no certificate yet');
  const server = createSecureHttp2Server(
    {
      ...http2Options(maxConcurrentStreams),
      ...secureContextOf(certificate),
      allowHTTP1: true,
      http1Options: HTTP1_OPTIONS,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: tls.clientCertificates !== 'none',
      // An optional certificate is judged below: OpenSSL cannot tell "none" from "bad" for us.
      rejectUnauthorized: tls.clientCertificates === 'require',
    },
    {
      ...owner,
      onHandshakeError: (error, socket) =>
        logger.debug('a TLS handshake failed', { peer: socket.remoteAddress, error }),
    },
  );
  server.on('request', handler);
  server.on('session', onSession);
  const serve = server.listeners('secureConnection').map((listener) => (socket: TLSSocket) => {
    listener.call(server, socket);
  });
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket: TLSSocket) => {
    const shown = socket.getPeerX509Certificate();
    const why = shown === undefined ? null : socket.authorized ? svidFault(shown) : socket.authorizationError;
    if (why !== null) {
      logger.warn('refused a client certificate', { peer: socket.remoteAddress, why });
      socket.destroy();
      return;
    }
    for (const listener of serve) listener(socket);
  });
  const unsubscribe = tls.identity.subscribe((next) => server.setSecureContext(secureContextOf(next)));
  server.once('close', unsubscribe);
  return server;
}

function secureContextOf(certificate: WorkloadCertificate): SecureContextOptions {
  return {
    cert: certificate.chainPem,
    key: certificate.privateKeyPem,
    ca: certificate.rootsPem,
    minVersion: 'TLSv1.2',
    ciphers: DEFAULT_CIPHERS,
    // A resumed session would carry a client certificate past a change of the roots.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
