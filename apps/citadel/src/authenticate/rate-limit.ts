import { FlotillaError, type Clock, limit } from '@flotilla/runtime';

export interface RateLimitSettings {
  /** Requests that one caller may make at once. */
  readonly burst: number;
  /** Requests a second that one caller regains. */
  readonly perSecond: number;
}

/** What holds unless a caller of `startCitadel` says otherwise. */
export const DEFAULT_RATE_LIMIT: RateLimitSettings = {
  burst: limit({
    name: 'citadel.certificate-burst',
    what: 'certificates that one caller may ask for at once',
    default: 200,
    unit: 'count',
    past: 'resource_exhausted, with the rate',
  }),
  perSecond: limit({
    name: 'citadel.certificate-rate',
    what: 'certificates that one caller may ask for, in the long run',
    default: 20,
    unit: 'per second',
    past: 'resource_exhausted, with the rate',
  }),
};

/** Takes one request from the caller's allowance. Throws `exhausted` when there is none left. */
export type TakeAllowance = (caller: string) => void;

/** Callers that are remembered; past this the longest idle one starts afresh. */
const MAX_CALLERS = limit({
  name: 'citadel.remembered-callers',
  what: 'callers whose rate is remembered',
  default: 10_000,
  unit: 'count',
  past: 'the longest idle one starts afresh',
});

/** A token bucket for each caller. */
export function createRateLimit(settings: RateLimitSettings, clock: Clock): TakeAllowance {
  const buckets = new Map<string, { level: number; atMs: number }>();
  return (caller) => {
    const nowMs = clock.monotonicMs();
    const bucket = buckets.get(caller) ?? { level: settings.burst, atMs: nowMs };
    const level = Math.min(settings.burst, bucket.level + ((nowMs - bucket.atMs) / 1000) * settings.perSecond);
    // Reinserted at the end: the map's order is the order of use.
    buckets.delete(caller);
    buckets.set(caller, { level: level < 1 ? level : level - 1, atMs: nowMs });
    if (buckets.size > MAX_CALLERS) {
      const [oldest] = buckets.keys();
      if (oldest !== undefined) buckets.delete(oldest);
    }
    if (level < 1) {
      throw new FlotillaError('exhausted', `${caller} asks for certificates too often`, {
        hint: `Allowed are ${settings.burst} at once and ${settings.perSecond} a second.`,
      });
    }
  };
}
