import type { Clock, Timer } from '@flotilla/runtime';

/**
 * A deadline that is moved far more often than it is reached. Moving it later costs one store: the timer
 * underneath fires early, sees that the deadline moved on, and is set again.
 */
export class Deadline {
  readonly #clock: Clock;
  readonly #reached: () => void;
  #atMs = Infinity;
  #timer: Timer | null = null;
  #timerAtMs = Infinity;

  constructor(clock: Clock, reached: () => void) {
    this.#clock = clock;
    this.#reached = reached;
  }

  /** `atMs` on the monotonic clock. */
  set(atMs: number, nowMs: number): void {
    this.#atMs = atMs;
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#arm(atMs, nowMs);
  }

  /** Leaves the timer underneath alone: it will find nothing to do. */
  clear(): void {
    this.#atMs = Infinity;
  }

  /** Cancels for good. */
  close(): void {
    this.#atMs = Infinity;
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerAtMs = Infinity;
  }

  #arm(atMs: number, nowMs: number): void {
    this.#timerAtMs = atMs;
    // Timers fire on whole milliseconds; a little late is right, a little early would need another round.
    this.#timer = this.#clock.after(Math.ceil(atMs - nowMs), () => this.#fired());
  }

  #fired(): void {
    this.#timer = null;
    this.#timerAtMs = Infinity;
    const nowMs = this.#clock.monotonicMs();
    if (this.#atMs === Infinity) return;
    if (nowMs < this.#atMs) {
      this.#arm(this.#atMs, nowMs);
      return;
    }
    this.#atMs = Infinity;
    this.#reached();
  }
}

/** Which limit of a request was reached. */
export type TimeoutKind = StreamTimeoutKind | AttemptTimeoutKind;

/** Of the whole, whoever is late. */
export type StreamTimeoutKind = 'stream-idle' | 'request' | 'duration';

/** Of what is asked of the upstream. */
export type AttemptTimeoutKind = 'route' | 'per-try' | 'per-try-idle' | 'upstream-duration';

export interface TimeoutOwner {
  onTimeout(kind: TimeoutKind): void;
}

/**
 * The deadlines of the request that a connection serves now. Made once per connection and handed from request to
 * request; a kind that is never used costs nothing.
 */
export class StreamDeadlines {
  owner: TimeoutOwner | null = null;
  readonly #clock: Clock;
  readonly #deadlines = new Map<TimeoutKind, Deadline>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  set(kind: TimeoutKind, delayMs: number, nowMs: number): void {
    let deadline = this.#deadlines.get(kind);
    if (deadline === undefined) {
      deadline = new Deadline(this.#clock, () => this.owner?.onTimeout(kind));
      this.#deadlines.set(kind, deadline);
    }
    deadline.set(nowMs + delayMs, nowMs);
  }

  clear(kind: TimeoutKind): void {
    this.#deadlines.get(kind)?.clear();
  }

  /** The request is over. */
  clearAll(): void {
    this.owner = null;
    if (this.#deadlines.size > 0) for (const deadline of this.#deadlines.values()) deadline.clear();
  }

  close(): void {
    this.owner = null;
    for (const deadline of this.#deadlines.values()) deadline.close();
  }
}
