import { FlotillaError } from '@flotilla/runtime';
import type { Membership } from './membership.ts';

/** The membership of the embedded mesh. Those that are given one set of `present` ids know each other. */
export function createInProcessMembership(present: Set<string> = new Set()): Membership {
  return new InProcessMembership(present);
}

class InProcessMembership implements Membership {
  readonly #present: Set<string>;
  readonly #joined = new Set<string>();
  #isClosed = false;

  constructor(present: Set<string>) {
    this.#present = present;
  }

  async join(id: string): Promise<void> {
    this.#assertOpen();
    this.#joined.add(id);
    this.#present.add(id);
  }

  async isPresent(id: string): Promise<boolean> {
    this.#assertOpen();
    return this.#present.has(id);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const id of this.#joined) this.#present.delete(id);
    this.#joined.clear();
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new FlotillaError('unavailable', 'the membership is closed');
  }
}
