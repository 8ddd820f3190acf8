import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { AUTOMATIC_ANNOTATION, CONTROLLER_ANNOTATION, type ResourceKey } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import { Backoff, type Clock, FlotillaError, type Random, type Timer } from '@flotilla/runtime';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { AUTOMATIC, type EntryDocument } from './workload-entry.ts';

export interface EntryWriterOptions {
  readonly galley: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How long after galley was away nothing is removed. */
  readonly settleMs: number;
  /** Galley has the entry since this version at the latest. */
  readonly onWritten: (id: string, entry: EntryDocument, version: number) => void;
}

interface Removal {
  readonly key: ResourceKey;
  /** `''`: nobody. */
  readonly controller: string;
}

// Below the usual grace of a registration: where galley was away, a write comes before the removal by another pilot.
const RETRY = { baseMs: 100, maxMs: 1_000 };
const SOURCE = 'pilot: registration';

/**
 * Brings entries into galley and out of it: one call for all that is asked for together, and again with back-off until
 * it succeeds or is no longer wanted. A removal holds only for entries that still have the controller it names, which
 * galley decides at that moment.
 *
 * After galley was away, other pilots may have writes to make up for, of proxies that came to them meanwhile: removals
 * wait for `settleMs`.
 */
export class EntryWriter {
  readonly #options: EntryWriterOptions;
  readonly #client;
  readonly #backoff: Backoff;
  readonly #writes = new Map<string, EntryDocument>();
  readonly #removals = new Map<string, Removal>();
  #removeNotBeforeMs = Number.NEGATIVE_INFINITY;
  #isFlushing = false;
  #isClosed = false;
  #retryTimer: Timer | null = null;
  #settleTimer: Timer | null = null;

  constructor(options: EntryWriterOptions) {
    this.#options = options;
    this.#client = createClient(GalleyService, options.galley);
    this.#backoff = new Backoff(RETRY, options.random);
  }

  write(id: string, entry: EntryDocument): void {
    this.#removals.delete(id);
    this.#writes.set(id, entry);
    this.#flushSoon();
  }

  isWriting(id: string): boolean {
    return this.#writes.has(id);
  }

  remove(id: string, removal: Removal): void {
    this.#writes.delete(id);
    this.#removals.set(id, removal);
    this.#flushSoon();
  }

  /** Nothing is wanted of this entry any more. A call under way goes on. */
  forget(id: string): void {
    this.#writes.delete(id);
    this.#removals.delete(id);
  }

  close(): void {
    this.#isClosed = true;
    this.#retryTimer?.cancel();
    this.#settleTimer?.cancel();
  }

  /** What is asked for within one turn, such as of proxies that connect together, makes one version. */
  #flushSoon(): void {
    if (this.#isFlushing || this.#retryTimer !== null || this.#isClosed) return;
    this.#isFlushing = true;
    setImmediate(() => {
      void this.#flush().then((waitMs) => {
        this.#isFlushing = false;
        if (!this.#isClosed) this.#goOn(waitMs);
      });
    });
  }

  #goOn(waitMs: number | null): void {
    const { clock } = this.#options;
    if (waitMs !== null) {
      this.#retryTimer = clock.after(waitMs, () => {
        this.#retryTimer = null;
        this.#flushSoon();
      });
    } else if (this.#writes.size > 0) this.#flushSoon();
    else if (this.#removals.size > 0) {
      this.#settleTimer?.cancel();
      const settleMs = this.#removeNotBeforeMs - clock.monotonicMs();
      if (settleMs <= 0) this.#flushSoon();
      else this.#settleTimer = clock.after(settleMs, () => this.#flushSoon());
    }
  }

  /** Resolves with the time to wait before trying again, `null` when all was done. */
  async #flush(): Promise<number | null> {
    const { clock, logger, settleMs } = this.#options;
    if (this.#isClosed) return null;
    try {
      const isWritten = await this.#apply([...this.#writes]);
      if (this.#removeNotBeforeMs <= clock.monotonicMs()) await this.#remove([...this.#removals]);
      if (!isWritten) return this.#backoff.nextMs();
      this.#backoff.reset();
      return null;
    } catch (error) {
      if (!isRefusal(error)) this.#removeNotBeforeMs = clock.monotonicMs() + settleMs;
      const waitMs = this.#backoff.nextMs();
      logger.warn('workload entries could not be written', { error: FlotillaError.from(error), waitMs });
      return waitMs;
    }
  }

  /** Resolves with whether nothing of it has to be tried again. */
  async #apply(asked: readonly (readonly [string, EntryDocument])[]): Promise<boolean> {
    const writes = asked.filter(([id, entry]) => this.#writes.get(id) === entry);
    if (writes.length === 0) return true;
    try {
      const documents = writes.map(([, entry]) => ({ source: SOURCE, yaml: JSON.stringify(entry) }));
      const { version } = await this.#client.apply({ documents });
      for (const [id, entry] of writes) {
        // What was asked for meanwhile stays.
        if (this.#writes.get(id) === entry) this.#writes.delete(id);
        this.#options.onWritten(id, entry, Number(version));
      }
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const [first] = writes;
      if (writes.length === 1 && first !== undefined) return this.#refused(first, error);
      // The others must not suffer for one bad name.
      const half = writes.length >> 1;
      const isFirstDone = await this.#apply(writes.slice(0, half));
      return (await this.#apply(writes.slice(half))) && isFirstDone;
    }
  }

  #refused([id, entry]: readonly [string, EntryDocument], error: unknown): boolean {
    const { namespace, name } = entry.metadata;
    this.#options.logger.error(`galley refused WorkloadEntry ${namespace}/${name}`, {
      error: FlotillaError.from(error),
    });
    // Who may write can be put right at galley; a document that is wrong stays so.
    if (ConnectError.from(error).code === Code.PermissionDenied) return false;
    if (this.#writes.get(id) === entry) this.#writes.delete(id);
    return true;
  }

  async #remove(removals: readonly (readonly [string, Removal])[]): Promise<void> {
    const byController = Map.groupBy(removals, ([, { controller }]) => controller);
    for (const [controller, batch] of byController) {
      await this.#client.delete({
        keys: batch.map(([, { key }]) => key),
        ignoreMissing: true,
        // The proxies are gone, which galley cannot know.
        force: true,
        ifAnnotations: { [AUTOMATIC_ANNOTATION]: AUTOMATIC, [CONTROLLER_ANNOTATION]: controller },
      });
      for (const [id, removal] of batch) if (this.#removals.get(id) === removal) this.#removals.delete(id);
    }
  }
}

function isRefusal(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  return code === Code.InvalidArgument || code === Code.PermissionDenied;
}
