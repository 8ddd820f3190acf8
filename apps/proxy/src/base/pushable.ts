/** An async iterable that is fed from outside: the request side of a stream. One consumer. */
export class PushableIterable<T> implements AsyncIterable<T> {
  readonly #queue: T[] = [];
  #waiting: ((result: IteratorResult<T, undefined>) => void) | null = null;
  #hasEnded = false;

  push(value: T): void {
    if (this.#hasEnded) return;
    const waiting = this.#waiting;
    if (waiting === null) {
      this.#queue.push(value);
      return;
    }
    this.#waiting = null;
    waiting({ done: false, value });
  }

  /** What is queued is still delivered. */
  end(): void {
    this.#hasEnded = true;
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = null;
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return {
      next: () => {
        const value = this.#queue.shift();
        if (value !== undefined) return Promise.resolve({ done: false, value });
        if (this.#hasEnded) return Promise.resolve({ done: true, value: undefined });
        return new Promise((resolve) => {
          this.#waiting = resolve;
        });
      },
      return: () => {
        this.end();
        return Promise.resolve({ done: true, value: undefined });
      },
      // Connect gives up a request stream with it when the call has failed.
      throw: () => {
        this.end();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}
