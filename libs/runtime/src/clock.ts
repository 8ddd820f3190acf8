/** A pending timer; `cancel` is idempotent and safe after it fired. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as an argument. Everything that waits, expires or measures takes a `Clock`, so that tests decide
 * what time it is.
 */
export interface Clock {
  /** Wall-clock milliseconds since the epoch. */
  now(): number;
  /** Monotonic milliseconds, for durations. */
  monotonicMs(): number;
  /** Calls `fire` once, `delayMs` from now. The timer does not keep the process alive unless `keepAlive`. */
  after(delayMs: number, fire: () => void, options?: { readonly keepAlive?: boolean }): Timer;
}

// setTimeout holds its delay in a signed 32-bit integer and fires at once above it.
const MAX_TIMEOUT_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, fire, options) {
    const handle = setTimeout(fire, Math.min(Math.max(0, delayMs), MAX_TIMEOUT_MS));
    if (options?.keepAlive !== true) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** A clock that moves only when told to. */
export class FakeClock implements Clock {
  #nowMs: number;
  #sequence = 0;
  readonly #timers = new Map<number, { readonly atMs: number; readonly fire: () => void }>();

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, fire: () => void): Timer {
    const id = this.#sequence++;
    this.#timers.set(id, { atMs: this.#nowMs + Math.max(0, delayMs), fire });
    return { cancel: () => void this.#timers.delete(id) };
  }

  /** Moves time forward, firing timers in order of their due time (and of creation, where equal). */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      const due = [...this.#timers.entries()]
        .filter(([, timer]) => timer.atMs <= untilMs)
        .sort(([idA, a], [idB, b]) => a.atMs - b.atMs || idA - idB)[0];
      if (due === undefined) break;
      const [id, timer] = due;
      this.#timers.delete(id);
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      timer.fire();
    }
    this.#nowMs = untilMs;
  }

  /** Lets time pass without a timer firing, as for a process that is stopped: they fire late, with the next `advance`. */
  sleep(forMs: number): void {
    this.#nowMs += forMs;
  }

  /** How many timers are waiting. */
  get pendingCount(): number {
    return this.#timers.size;
  }
}
