import { FlotillaError } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { Caller } from '@flotilla/rpc/server';
import { formatSpiffeId } from '@flotilla/spiffe';
import type { Authenticate } from './authenticate/authenticate.ts';
import type { TakeAllowance } from './authenticate/rate-limit.ts';
import type { CitadelMetrics } from './metrics.ts';
import { decideIdentity, dnsNamesOf } from './policy.ts';
import type { IssuedCertificate } from './sign/authority.ts';
import { grantTtlMs, type LifetimeLimits } from './sign/lifetime.ts';
import { decodeSigningRequest } from './sign/signing-request.ts';
import type { CaSlots } from './slots.ts';

export interface Issuing {
  readonly authenticate: Authenticate;
  readonly takeAllowance: TakeAllowance;
  readonly slots: CaSlots;
  readonly lifetime: LifetimeLimits;
  readonly metrics: CitadelMetrics;
  readonly logger: Logger;
}

/**
 * The life of a request, whichever API it came by: authenticate, rate limit, read the CSR and verify its signature,
 * decide the identity, sign. `wishedTtlMs` of 0 means the default.
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
    const id = issuing.authenticate(caller);
    issuing.takeAllowance(formatSpiffeId(id));
    const request = await decodeSigningRequest(csrPem);
    const granted = decideIdentity(id, request);
    const issued = await issuing.slots.current.issue({
      id: granted,
      publicKey: request.publicKey,
      ttlMs: grantTtlMs(wishedTtlMs, issuing.lifetime),
      dnsNames: dnsNamesOf(granted),
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
