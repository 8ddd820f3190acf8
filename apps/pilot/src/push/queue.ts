/**
 * Works through keys one after another, leaving the event loop free between them. A key that is added again while it
 * waits is worked on once.
 */
export class WorkQueue<Key> {
  readonly #waiting = new Set<Key>();
  readonly #work: (key: Key) => void;
  #isScheduled = false;

  constructor(work: (key: Key) => void) {
    this.#work = work;
  }

  add(key: Key): void {
    this.#waiting.add(key);
    this.#schedule();
  }

  delete(key: Key): void {
    this.#waiting.delete(key);
  }

  get size(): number {
    return this.#waiting.size;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const first = this.#waiting.values().next();
      if (first.done === true) return;
      this.#waiting.delete(first.value);
      try {
        this.#work(first.value);
      } finally {
        if (this.#waiting.size > 0) this.#schedule();
      }
    });
  }
}
