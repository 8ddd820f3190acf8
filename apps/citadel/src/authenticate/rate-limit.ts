import { FlotillaError, type Clock } from '@flotilla/runtime';

export interface RateLimitSettings {
  /** Requests that one caller may make at once. */
  readonly burst: number;
  /** Requests a second that one caller regains. */
  readonly perSecond: number;
}

/** Takes one request from the caller's allowance. Throws `exhausted` when there is none left. */
export type TakeAllowance = (caller: string) => void;

/** Callers that are remembered; past this the longest idle one starts afresh. */
const MAX_CALLERS = 10_000;

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
