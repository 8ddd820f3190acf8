import type { Logger } from '@flotilla/observe';
import { systemClock, type Clock, type Random } from '@flotilla/runtime';
import type { IdentitySource, WorkloadCertificate } from '@flotilla/spiffe';
import { openRotatingIdentity } from './rotating.ts';

export interface LocalIdentityOptions {
  /** Wished lifetime; the authority may shorten it. Default: a day. */
  readonly ttlMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

/**
 * The identity of a process that has the authority in it: `issue` is asked for the first certificate at once, and for
 * the next before it expires. Throws what the first `issue` throws.
 */
export function openLocalIdentity(
  issue: (ttlMs: number) => Promise<WorkloadCertificate>,
  options: LocalIdentityOptions = {},
): Promise<IdentitySource> {
  const ttlMs = options.ttlMs ?? 24 * 3_600_000;
  return openRotatingIdentity({
    obtain: () => issue(ttlMs),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    logger: options.logger ?? null,
  });
}
