import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { FlotillaError } from '@flotilla/runtime';
import { spiffeIdOfCertificate, formatSpiffeId } from '@flotilla/spiffe';

/** Whom to expect at the other end, once its chain is verified. */
export interface ExpectedServer {
  /** Any one of these identities, as URIs. */
  readonly serverSpiffeId?: string | readonly string[];
  /** A DNS name in the certificate, in place of the host of the URL. */
  readonly serverName?: string;
}

/** For `tls.connect`: undefined when the certificate is the expected server's, else why it is not. */
export function compileServerCheck(
  expected: ExpectedServer,
): (host: string, certificate: PeerCertificate) => Error | undefined {
  const { serverName, serverSpiffeId } = expected;
  if (serverSpiffeId !== undefined) {
    const allowed = new Set(typeof serverSpiffeId === 'string' ? [serverSpiffeId] : serverSpiffeId);
    return (_, certificate) => {
      const id = spiffeIdOfCertificate(certificate.raw);
      const shown = id === null ? null : formatSpiffeId(id);
      if (shown !== null && allowed.has(shown)) return undefined;
      return new FlotillaError(
        'unauthenticated',
        `the server is ${shown ?? 'nobody of the mesh'}, expected ${[...allowed].join(' or ')}`,
      );
    };
  }
  return (host, certificate) => checkServerIdentity(serverName ?? host, certificate);
}
