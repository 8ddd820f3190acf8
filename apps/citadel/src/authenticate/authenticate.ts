import { FlotillaError, type Clock } from '@flotilla/runtime';
import type { Caller } from '@flotilla/rpc/server';
import { type SpiffeId, tokenGrantOf, type TokenGrant } from '@flotilla/spiffe';
import type { BootstrapClaims, BootstrapTokens } from '../tokens/bootstrap-token.ts';
import { authenticatePeerCertificate } from './peer-certificate.ts';

/** What a caller has proved. */
export interface Proof {
  readonly id: SpiffeId;
  /** The bootstrap token that it shows, which is still to be used; `null` when it shows its certificate. */
  readonly token: BootstrapClaims | null;
  /** The bootstrap token that it goes back to; `null` for a certificate that goes back to none. */
  readonly grant: TokenGrant | null;
}

/** Who a caller has proved to be. Throws `unauthenticated`. */
export type Authenticate = (caller: Caller) => Proof;

/**
 * Proof is a bootstrap token, or else the certificate of the connection. A token that is shown must hold: a caller
 * with a bad one is refused, whatever its certificate says.
 */
export function compileAuthenticate(tokens: BootstrapTokens, trustDomain: string, clock: Clock): Authenticate {
  return (caller) => {
    if (caller.bearerToken !== null) {
      const token = tokens.verify(caller.bearerToken);
      return { id: token.subject, token, grant: { tokenId: token.id, workload: token.workload || null } };
    }
    const id = authenticatePeerCertificate(caller, trustDomain, clock);
    if (id !== null && caller.certificate !== null) {
      return { id, token: null, grant: tokenGrantOf(caller.certificate.raw) };
    }
    throw new FlotillaError('unauthenticated', 'a certificate needs a bootstrap token, or the certificate to renew', {
      hint: 'Send the token as "authorization: Bearer …", or connect with the current client certificate.',
    });
  };
}
