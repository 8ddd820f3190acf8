import type { VersionBus } from '@flotilla/bus';
import { decodeBody, describeKey, findKind } from '@flotilla/model';
import type { ResourceKey } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import { FlotillaError } from '@flotilla/runtime';
import { MeshSet } from '../set/mesh-set.ts';
import type { MeshEntry, SetChange } from '../set/mesh-set.ts';
import { isSameRevision } from '../store/config-store.ts';
import type { ConfigStore, Revision, StoreChange, StoredResource } from '../store/config-store.ts';
import { meshEntry } from './mesh-entry.ts';

export interface ConfigWriterOptions {
  readonly store: ConfigStore;
  readonly bus: VersionBus;
  readonly logger: Logger;
  /** Told after each commit of this process how much it changed. */
  readonly onCommit?: (changes: number) => void;
}

/** What a write is to do, decided against the current set. No changes: nothing is written, and no version made. */
export interface WritePlan<T> {
  readonly changes: readonly SetChange[];
  /** Answers the caller with the version of the set after the write. */
  result(version: number): T;
}

// How often a write is planned anew because another process wrote in between.
const MAX_CONFLICTS = 10;

/**
 * The one way into the store for this process. Writes go one after another: planned against the set in memory,
 * committed with compare-and-set, then announced on the bus. The set always equals the store at `revision`; after a
 * commit of which nobody knows whether it was made, the next write or refresh finds out.
 */
export class ConfigWriter {
  readonly set = new MeshSet();
  readonly #store: ConfigStore;
  readonly #bus: VersionBus;
  readonly #logger: Logger;
  readonly #onCommit: ConfigWriterOptions['onCommit'];
  #revision: Revision = { epoch: '', version: 0 };
  /** A version may stand that nobody was told of. */
  #isUnannounced = false;
  #queue: Promise<unknown> = Promise.resolve();
  #moved = Promise.withResolvers<undefined>();
  #isClosed = false;

  private constructor(options: ConfigWriterOptions) {
    this.#store = options.store;
    this.#bus = options.bus;
    this.#logger = options.logger;
    this.#onCommit = options.onCommit;
  }

  /** Loads the set from the store. */
  static async open(options: ConfigWriterOptions): Promise<ConfigWriter> {
    const writer = new ConfigWriter(options);
    await writer.#reload();
    return writer;
  }

  get revision(): Revision {
    return this.#revision;
  }

  get version(): number {
    return this.#revision.version;
  }

  /**
   * Plans and commits one write, after those asked for before. `plan` is synchronous and may be called again when
   * another process was faster; what it throws is the caller's. Fails with `conflict` after too many of those.
   */
  write<T>(plan: (set: MeshSet, version: number) => WritePlan<T>): Promise<T> {
    return this.#enqueue(() => this.#write(plan));
  }

  /** Catches up with what other processes committed. */
  refresh(): Promise<void> {
    return this.#enqueue(() => this.#catchUp());
  }

  /** Resolves when the set is past a revision, or with the signal; fails with `unavailable` on close. */
  async waitBeyond({ epoch, version }: Revision, signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<undefined>();
    const abort = (): void => aborted.resolve(undefined);
    signal.addEventListener('abort', abort);
    try {
      while (this.#revision.epoch === epoch && this.version <= version && !signal.aborted) {
        if (this.#isClosed) throw new FlotillaError('unavailable', 'galley is shutting down');
        await Promise.race([this.#moved.promise, aborted.promise]);
      }
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Waits for writes under way and wakes everybody who waits for a version. The store stays open. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#queue.catch(() => undefined);
    this.#moved.resolve(undefined);
  }

  async #write<T>(plan: (set: MeshSet, version: number) => WritePlan<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      // What another process wrote counts, also for saying that there is nothing to do.
      await this.#catchUp();
      const planned = plan(this.set, this.version);
      if (planned.changes.length === 0) return planned.result(this.version);
      try {
        await this.#commit(planned.changes);
        return planned.result(this.version);
      } catch (error) {
        if (FlotillaError.from(error).code !== 'conflict' || attempt >= MAX_CONFLICTS) throw error;
      }
    }
  }

  async #commit(changes: readonly SetChange[]): Promise<void> {
    const written = await this.#send(changes.map(toStoreChange));
    const keys = changes.map((change) => (change.type === 'put' ? change.entry.resource.key : change.key));
    this.set.apply(changes);
    this.#moveTo(written);
    this.#onCommit?.(changes.length);
    await this.#announce(keys);
  }

  async #send(changes: readonly StoreChange[]): Promise<Revision> {
    try {
      return await this.#store.commit(changes, this.#revision);
    } catch (error) {
      this.#isUnannounced ||= FlotillaError.from(error).code === 'unavailable';
      throw error;
    }
  }

  /** The commit stands whatever becomes of the announcement, which is made up for by the next refresh. */
  async #announce(keys: readonly ResourceKey[]): Promise<void> {
    try {
      await this.#bus.publish({ ...this.#revision, keys });
      this.#isUnannounced = false;
    } catch (error) {
      this.#isUnannounced = true;
      this.#logger.warn('version was committed and not announced', { version: this.version, error: String(error) });
    }
  }

  async #catchUp(): Promise<void> {
    const current = await this.#store.revision();
    if (!isSameRevision(current, this.#revision)) await this.#follow();
    if (this.#isUnannounced) await this.#announce([]);
  }

  async #follow(): Promise<void> {
    const changes = await this.#store.changesSince(this.#revision);
    if (changes === null) return this.#reload();
    this.set.apply(
      changes.changes.flatMap(({ key, stored }): readonly SetChange[] => {
        const entry = stored === null ? null : this.#decode(stored);
        return entry === null ? [{ type: 'delete', key }] : [{ type: 'put', entry }];
      }),
    );
    this.#moveTo(changes);
  }

  async #reload(): Promise<void> {
    const { resources, ...revision } = await this.#store.snapshot();
    if (resources.length === 0 && revision.version === 0 && this.version > 0) return this.#refill(revision);
    this.set.clear();
    this.set.apply(
      resources.flatMap((stored): readonly SetChange[] => {
        const entry = this.#decode(stored);
        return entry === null ? [] : [{ type: 'put', entry }];
      }),
    );
    this.#moveTo(revision);
  }

  /** A store that lost everything while this process still has it: taken as it is, it would empty the mesh. */
  async #refill(empty: Revision): Promise<void> {
    const lost = this.#revision;
    const puts = [...this.set.entries()].map((entry) => toStoreChange({ type: 'put', entry }));
    this.#logger.error('the store lost its data: it gets back what this process has of it', {
      version: lost.version,
      resources: puts.length,
    });
    try {
      await this.#store.commit(puts, empty);
    } catch (error) {
      // Another process was faster.
      if (FlotillaError.from(error).code !== 'conflict') throw error;
    }
    this.#isUnannounced = true;
    await this.#reload();
  }

  /** `null` for what an older version accepted and this one cannot read; it stays in the store, and has no effect. */
  #decode({ resource, owner }: StoredResource): MeshEntry | null {
    const kind = findKind(resource.key.group, resource.key.kind);
    const decoded = kind === null ? null : decodeBody(kind, resource.body);
    if (kind !== null && decoded?.ok === true) return meshEntry(resource, kind, decoded.value, owner);
    this.#logger.error('a stored resource cannot be read by this version, and is left out', {
      resource: describeKey(resource.key),
    });
    return null;
  }

  #moveTo({ epoch, version }: Revision): void {
    this.#revision = { epoch, version };
    this.#moved.resolve(undefined);
    this.#moved = Promise.withResolvers<undefined>();
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new FlotillaError('unavailable', 'galley is shutting down'));
    const done = this.#queue.then(task, task);
    this.#queue = done.catch(() => undefined);
    return done;
  }
}

function toStoreChange(change: SetChange): StoreChange {
  return change.type === 'delete'
    ? change
    : { type: 'put', resource: change.entry.resource, owner: change.entry.owner };
}
