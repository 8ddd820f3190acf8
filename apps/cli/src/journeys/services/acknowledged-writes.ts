import { setTimeout as delay } from 'node:timers/promises';
import type { MeshClient } from '@flotilla/client';

const KEYS = 40;
const TIMEOUT_MS = 5_000;
const NEXT_TRY_MS = 25;
const NUMBER = 'flotilla.io/write';

/**
 * Applies one change after another, in a namespace, whatever becomes of them, and remembers which were acknowledged.
 *
 * The resources are a few, each of which carries the number of the write that made it. A write whose answer did not come
 * may have been made or not; one that was acknowledged must be found, or a later one of the same resource in its place.
 */
export class AcknowledgedWrites {
  readonly #client: MeshClient;
  readonly #namespace: string;
  readonly #acknowledged = new Map<string, number>();
  readonly #wentBack: string[] = [];
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #version = 0n;
  #count = 0;
  #refusals: string[] = [];

  constructor(client: MeshClient, namespace: string, pauseMs = 0) {
    this.#client = client;
    this.#namespace = namespace;
    this.#running = this.#run(pauseMs);
  }

  /** How many were acknowledged. */
  get count(): number {
    return this.#count;
  }

  /** Why the others were not: refused, or without an answer. */
  get refusals(): readonly string[] {
    return this.#refusals;
  }

  /** Each acknowledged write that is gone, in words; empty is what should be. Rejects when galley does not answer. */
  async lost(): Promise<readonly string[]> {
    const expected = [...this.#acknowledged];
    const answer = await this.#client.galley.list({ namespace: this.#namespace }, { timeoutMs: TIMEOUT_MS });
    const found = new Map(answer.resources.map(({ key, annotations }) => [key?.name, Number(annotations[NUMBER])]));
    return [
      ...this.#wentBack,
      ...expected
        .filter(([name, number]) => (found.get(name) ?? 0) < number)
        .map(([name, number]) => `write ${number} of ${name}: ${found.get(name) ?? 'nothing'} is there`),
    ];
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(pauseMs: number): Promise<void> {
    for (let number = 1; !this.#stopping.signal.aborted; number++) {
      const isMade = await this.#write(number);
      await delay(isMade ? pauseMs : NEXT_TRY_MS);
    }
  }

  async #write(number: number): Promise<boolean> {
    const name = `account-${number % KEYS}`;
    const yaml = `apiVersion: v1
kind: ServiceAccount
metadata: { name: ${name}, namespace: ${this.#namespace}, annotations: { ${NUMBER}: '${number}' } }
`;
    const documents = [{ source: 'writer', yaml }];
    try {
      const { version } = await this.#client.galley.apply({ documents }, { timeoutMs: TIMEOUT_MS });
      // What was lost and written again would be found in the end: its version tells.
      if (version <= this.#version) {
        this.#wentBack.push(`write ${number}: version ${version} came after ${this.#version}`);
      }
      this.#version = version;
      this.#acknowledged.set(name, number);
      this.#count += 1;
      return true;
    } catch (error) {
      this.#refusals.push(error instanceof Error ? error.message : String(error));
      return false;
    }
  }
}
