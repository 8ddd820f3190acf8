import type { Clock, Timer } from '@flotilla/runtime';

export interface DebounceSettings {
  /** Act when this long nothing happened … */
  readonly quietMs: number;
  /** … but no later than this after the first event. */
  readonly maxMs: number;
}

/** Istio's defaults. */
export const DEFAULT_DEBOUNCE: DebounceSettings = { quietMs: 100, maxMs: 10_000 };

/** Puts events that follow closely on each other together into one call of `fire`. */
export class Debouncer {
  readonly #settings: DebounceSettings;
  readonly #clock: Clock;
  readonly #fire: () => void;
  #firstAtMs: number | null = null;
  #timer: Timer | null = null;

  constructor(settings: DebounceSettings, clock: Clock, fire: () => void) {
    this.#settings = settings;
    this.#clock = clock;
    this.#fire = fire;
  }

  trigger(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#firstAtMs ??= nowMs;
    const delayMs = Math.min(this.#settings.quietMs, this.#firstAtMs + this.#settings.maxMs - nowMs);
    this.#timer?.cancel();
    this.#timer = this.#clock.after(Math.max(0, delayMs), () => {
      this.#firstAtMs = null;
      this.#timer = null;
      this.#fire();
    });
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#firstAtMs = null;
  }
}
