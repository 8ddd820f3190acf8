import type { Random } from './random.ts';

export interface BackoffSettings {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Exponential back-off with full jitter: the n-th delay is uniform in [0, min(maxMs, baseMs * 2^n)),
 * which is what Envoy does for retries. `reset` goes back to the first step after a success.
 */
export class Backoff {
  readonly #settings: BackoffSettings;
  readonly #random: Random;
  #attempt = 0;

  constructor(settings: BackoffSettings, random: Random = Math.random) {
    this.#settings = settings;
    this.#random = random;
  }

  nextMs(): number {
    const ceilingMs = Math.min(this.#settings.maxMs, this.#settings.baseMs * 2 ** this.#attempt);
    // Past 2^30 the ceiling no longer changes; counting on would end in Infinity.
    if (this.#attempt < 30) this.#attempt += 1;
    return this.#random() * ceilingMs;
  }

  reset(): void {
    this.#attempt = 0;
  }
}
