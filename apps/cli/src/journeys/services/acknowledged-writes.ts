import { setTimeout as delay } from 'node:timers/promises';
import type { MeshClient } from '@flotilla/client';

const TIMEOUT_MS = 5_000;
const NEXT_TRY_MS = 25;
const NUMBER = 'flotilla.io/write';

/** A resource as a write makes it, without its metadata's annotations. */
export interface WrittenResource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec?: unknown;
}

/**
 * Applies one change after another, whatever becomes of them, and remembers which were acknowledged.
 *
 * The resources are a few of one kind and namespace, each of which carries the number of the write that made it. A write whose answer did not come
 * may have been made or not; one that was acknowledged must be found, or a later one of the same resource in its place.
 */
export class AcknowledgedWrites {
  readonly #client: MeshClient;
  readonly #resourceOf: (number: number) => WrittenResource;
  readonly #acknowledged = new Map<string, number>();
  readonly #wentBack: string[] = [];
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #version = 0n;
  #count = 0;
  readonly #refusals: string[] = [];

  /** Writes `resourceOf(1)`, `resourceOf(2)`, … with this much time between. */
  constructor(client: MeshClient, resourceOf: (number: number) => WrittenResource, pauseMs = 0) {
    this.#client = client;
    this.#resourceOf = resourceOf;
    this.#running = this.#run(pauseMs);
  }

  /** The last one that was acknowledged, by the name of the resource. */
  get acknowledged(): ReadonlyMap<string, number> {
    return this.#acknowledged;
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
    const { kind, metadata } = this.#resourceOf(1);
    const answer = await this.#client.galley.list({ kind, namespace: metadata.namespace }, { timeoutMs: TIMEOUT_MS });
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
    const { metadata, ...rest } = this.#resourceOf(number);
    const resource = { ...rest, metadata: { ...metadata, annotations: { [NUMBER]: String(number) } } };
    const documents = [{ source: 'writer', yaml: JSON.stringify(resource) }];
    try {
      const { version } = await this.#client.galley.apply({ documents }, { timeoutMs: TIMEOUT_MS });
      // What was lost and written again would be found in the end: its version tells.
      if (version <= this.#version) {
        this.#wentBack.push(`write ${number}: version ${version} came after ${this.#version}`);
      }
      this.#version = version;
      this.#acknowledged.set(metadata.name, number);
      this.#count += 1;
      return true;
    } catch (error) {
      this.#refusals.push(error instanceof Error ? error.message : String(error));
      return false;
    }
  }
}
