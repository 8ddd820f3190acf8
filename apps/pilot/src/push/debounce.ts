import type { Clock, Timer } from '@flotilla/runtime';

export interface DebounceSettings {
  /** Events that come closer on each other than this are acted on together … */
  readonly quietMs: number;
  /** … but no later than this after the first of them. */
  readonly maxMs: number;
}

/** Istio's defaults. */
export const DEFAULT_DEBOUNCE: DebounceSettings = { quietMs: 100, maxMs: 10_000 };

/**
 * Puts events that follow closely on each other together into one call of `fire`. The first after a quiet time is acted
 * on at once, within the call of `trigger`: only what follows it closely waits.
 */
export class Debouncer {
  readonly #settings: DebounceSettings;
  readonly #clock: Clock;
  readonly #fire: () => void;
  /** Until then an event is taken for one of those before. */
  #busyUntilMs = -Infinity;
  #firstAtMs: number | null = null;
  #timer: Timer | null = null;

  constructor(settings: DebounceSettings, clock: Clock, fire: () => void) {
    this.#settings = settings;
    this.#clock = clock;
    this.#fire = fire;
  }

  trigger(): void {
    const { quietMs, maxMs } = this.#settings;
    const nowMs = this.#clock.monotonicMs();
    if (this.#timer === null && nowMs >= this.#busyUntilMs) {
      this.#act(nowMs);
      return;
    }
    this.#firstAtMs ??= nowMs;
    const delayMs = Math.min(quietMs, this.#firstAtMs + maxMs - nowMs);
    this.#timer?.cancel();
    this.#timer = this.#clock.after(Math.max(0, delayMs), () => this.#act(this.#clock.monotonicMs()));
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#firstAtMs = null;
  }

  #act(nowMs: number): void {
    this.#firstAtMs = null;
    this.#timer = null;
    this.#busyUntilMs = nowMs + this.#settings.quietMs;
    this.#fire();
  }
}
