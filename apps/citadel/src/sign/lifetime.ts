import { FlotillaError } from '@flotilla/runtime';

/** Limits of a certificate's lifetime, in milliseconds. */
export interface LifetimeLimits {
  readonly defaultTtlMs: number;
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
}

/** Throws `invalid` when the limits contradict each other. */
export function checkedLimits(limits: LifetimeLimits): LifetimeLimits {
  const { defaultTtlMs, minTtlMs, maxTtlMs } = limits;
  if (!(minTtlMs > 0 && minTtlMs <= maxTtlMs && defaultTtlMs >= minTtlMs && defaultTtlMs <= maxTtlMs)) {
    throw new FlotillaError(
      'invalid',
      `certificate lifetimes of ${minTtlMs} ms at least, ${maxTtlMs} ms at most and ${defaultTtlMs} ms by default contradict each other`,
    );
  }
  return limits;
}

/** The lifetime to grant: the default when none was wished (0 or less), else the wish within the limits. */
export function grantTtlMs(wishedMs: number, limits: LifetimeLimits): number {
  if (!(wishedMs > 0)) return limits.defaultTtlMs;
  return Math.min(Math.max(wishedMs, limits.minTtlMs), limits.maxTtlMs);
}
