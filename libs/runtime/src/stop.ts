import { FlotillaError } from './errors.ts';

/**
 * Things to close, closed in the reverse order of their opening. A start function pushes each resource
 * as it opens it; on failure half-way, `close` releases just what was opened.
 */
export class StopStack {
  readonly #entries: { readonly name: string; readonly close: () => void | Promise<void> }[] = [];
  #closing: Promise<void> | undefined;

  /** Throws `unavailable` when closing has begun: a start that is still running must not open more. */
  push(name: string, close: () => void | Promise<void>): void {
    if (this.#closing !== undefined) throw new FlotillaError('unavailable', `stopping, so ${name} is not started`);
    this.#entries.push({ name, close });
  }

  /** Idempotent. Every entry is closed even when one fails; the failures come as one `AggregateError`. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let entry = this.#entries.pop(); entry !== undefined; entry = this.#entries.pop()) {
      try {
        await entry.close();
      } catch (error) {
        failures.push(new Error(`could not close ${entry.name}`, { cause: error }));
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'some parts could not be closed');
  }
}
