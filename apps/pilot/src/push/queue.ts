import type { Clock } from '@flotilla/runtime';

export interface WorkQueueOptions<Key> {
  /** Works on a key until it is done, or the turn is over; then it returns false, and goes on in the next turn. */
  readonly work: (key: Key, isTurnOver: () => boolean) => boolean;
  /** How long a turn of the event loop may take. */
  readonly turnMs: number;
  readonly clock: Clock;
}

/**
 * Works through keys one after another, in turns of bounded length: between them the event loop accepts connections and
 * reads what has come. A key that is added again while it waits is worked on once.
 */
export class WorkQueue<Key> {
  readonly #waiting = new Set<Key>();
  /** What was begun, which is finished before anything else is. */
  readonly #begun = new Set<Key>();
  readonly #options: WorkQueueOptions<Key>;
  #isScheduled = false;

  constructor(options: WorkQueueOptions<Key>) {
    this.#options = options;
  }

  add(key: Key): void {
    if (!this.#begun.has(key)) this.#waiting.add(key);
    this.#schedule();
  }

  delete(key: Key): void {
    this.#waiting.delete(key);
    this.#begun.delete(key);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // After the poll phase: what came from outside goes first.
    setImmediate(() => {
      this.#isScheduled = false;
      try {
        this.#turn();
      } finally {
        if (this.#waiting.size + this.#begun.size > 0) this.#schedule();
      }
    });
  }

  #turn(): void {
    const { clock, turnMs, work } = this.#options;
    const endMs = clock.monotonicMs() + turnMs;
    const isTurnOver = () => clock.monotonicMs() >= endMs;
    for (const keys of [this.#begun, this.#waiting]) {
      for (const key of keys) {
        // It leaves before it is worked on: whoever adds it meanwhile has something new for it.
        keys.delete(key);
        if (!work(key, isTurnOver)) this.#begun.add(key);
        if (isTurnOver()) return;
      }
    }
  }
}
