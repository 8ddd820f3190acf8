import { FlotillaError } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { Caller } from '@flotilla/rpc/server';
import { createHash } from 'node:crypto';
import { formatSpiffeId } from '@flotilla/spiffe';
import type { Authenticate, Proof } from './authenticate/authenticate.ts';
import type { TakeAllowance } from './authenticate/rate-limit.ts';
import type { CitadelMetrics } from './metrics.ts';
import { decideIdentity, dnsNamesOf } from './policy.ts';
import type { IssuedCertificate } from './sign/authority.ts';
import { grantTtlMs, type LifetimeLimits } from './sign/lifetime.ts';
import { decodeSigningRequest } from './sign/signing-request.ts';
import type { CaSlots } from './slots.ts';
import { refusal } from './tokens/bootstrap-token.ts';
import type { TokenLedger } from './tokens/token-ledger.ts';

export interface Issuing {
  readonly authenticate: Authenticate;
  readonly ledger: TokenLedger;
  readonly takeAllowance: TakeAllowance;
  readonly slots: CaSlots;
  readonly lifetime: LifetimeLimits;
  readonly metrics: CitadelMetrics;
  readonly logger: Logger;
}

/**
 * The life of a request, whichever API it came by: authenticate, rate limit, read the CSR and verify its signature,
 * decide the identity, use the token or see that the one behind the certificate was not revoked, sign. `wishedTtlMs` of 0 means the default.
 */
export async function issueCertificate(
  issuing: Issuing,
  caller: Caller,
  csrPem: string,
  wishedTtlMs: number,
): Promise<IssuedCertificate> {
  const { metrics } = issuing;
  metrics.requested();
  try {
    const proof = issuing.authenticate(caller);
    issuing.takeAllowance(formatSpiffeId(proof.id));
    const request = await decodeSigningRequest(csrPem);
    const granted = decideIdentity(proof.id, request);
    // Last, so that a request that is refused uses nothing up.
    await spend(issuing.ledger, proof, request.publicKey);
    const issued = await issuing.slots.current.issue({
      id: granted,
      publicKey: request.publicKey,
      ttlMs: grantTtlMs(wishedTtlMs, issuing.lifetime),
      dnsNames: dnsNamesOf(granted),
      grant: proof.grant,
    });
    metrics.issued();
    issuing.logger.info('issued a certificate', {
      spiffeId: formatSpiffeId(issued.spiffeId),
      serial: issued.serial,
      notAfter: new Date(issued.notAfterMs).toISOString(),
    });
    return issued;
  } catch (thrown) {
    const error = FlotillaError.from(thrown);
    if (error.code === 'unauthenticated') metrics.unauthenticated();
    else metrics.failed();
    issuing.logger.warn('refused a certificate', { code: error.code, why: error.message });
    throw error;
  }
}

async function spend(ledger: TokenLedger, { token, grant }: Proof, publicKey: Buffer): Promise<void> {
  if (token !== null) {
    await ledger.use(token, createHash('sha256').update(publicKey).digest('base64url'));
  } else if (grant !== null && (await ledger.isRevoked(grant.tokenId))) {
    throw refusal('the one that this certificate goes back to was revoked');
  }
}
