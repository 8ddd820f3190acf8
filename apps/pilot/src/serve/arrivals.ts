import type { Clock, Timer } from '@flotilla/runtime';

/** So long a stream that does not answer keeps others waiting. */
const OPENING_MS = 5_000;

export interface ArrivalsOptions<Stream> {
  /** How many are sent their first configuration at a time. */
  readonly most: number;
  readonly clock: Clock;
  /** Its turn has come. */
  readonly admit: (stream: Stream) => void;
}

/**
 * Lets new streams in, in the order in which they came, as fast as those before them take in their first configuration:
 * when a whole mesh reconnects, each is served soon after its turn, and no more is in memory than for a few.
 */
export class Arrivals<Stream> {
  readonly #options: ArrivalsOptions<Stream>;
  readonly #waiting = new Set<Stream>();
  readonly #opening = new Map<Stream, Timer>();
  #isOpen = false;

  constructor(options: ArrivalsOptions<Stream>) {
    this.#options = options;
  }

  add(stream: Stream): void {
    this.#waiting.add(stream);
    this.#next();
  }

  /** There is something to be sent; before, all wait. */
  open(): void {
    this.#isOpen = true;
    this.#next();
  }

  isAdmitted(stream: Stream): boolean {
    return !this.#waiting.has(stream);
  }

  /** It holds its first configuration. */
  settled(stream: Stream): void {
    const timer = this.#opening.get(stream);
    if (timer === undefined) return;
    timer.cancel();
    this.#opening.delete(stream);
    this.#next();
  }

  /** It is gone. */
  delete(stream: Stream): void {
    this.#waiting.delete(stream);
    this.settled(stream);
  }

  #next(): void {
    if (!this.#isOpen) return;
    const { most, clock, admit } = this.#options;
    for (const stream of this.#waiting) {
      if (this.#opening.size >= most) return;
      this.#waiting.delete(stream);
      this.#opening.set(
        stream,
        clock.after(OPENING_MS, () => this.settled(stream)),
      );
      admit(stream);
    }
  }
}
