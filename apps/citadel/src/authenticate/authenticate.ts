import { FlotillaError, type Clock } from '@flotilla/runtime';
import type { Caller } from '@flotilla/rpc/server';
import type { SpiffeId } from '@flotilla/spiffe';
import type { BootstrapTokens } from './bootstrap-token.ts';
import { authenticatePeerCertificate } from './peer-certificate.ts';

/** Who a caller has proved to be. Throws `unauthenticated`. */
export type Authenticate = (caller: Caller) => SpiffeId;

/**
 * Proof is a bootstrap token, or else the certificate of the connection. A token that is shown must hold: a caller
 * with a bad one is refused, whatever its certificate says.
 */
export function compileAuthenticate(tokens: BootstrapTokens, trustDomain: string, clock: Clock): Authenticate {
  return (caller) => {
    if (caller.bearerToken !== null) return tokens.verify(caller.bearerToken);
    const id = authenticatePeerCertificate(caller, trustDomain, clock);
    if (id !== null) return id;
    throw new FlotillaError('unauthenticated', 'a certificate needs a bootstrap token, or the certificate to renew', {
      hint: 'Send the token as "authorization: Bearer …", or connect with the current client certificate.',
    });
  };
}
