import type { VersionBus } from '@flotilla/bus';
import { decodeBody, describeKey, findKind } from '@flotilla/model';
import type { ResourceKey } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import { FlotillaError } from '@flotilla/runtime';
import { meshEntry, MeshSet } from '../set/mesh-set.ts';
import type { MeshEntry, SetChange } from '../set/mesh-set.ts';
import type { ChangeSet, ConfigStore, StoredResource } from '../store/config-store.ts';

export interface ConfigWriterOptions {
  readonly store: ConfigStore;
  readonly bus: VersionBus;
  readonly logger: Logger;
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
 * committed with compare-and-set, then announced on the bus. The set always equals the store at `version`.
 */
export class ConfigWriter {
  readonly set = new MeshSet();
  readonly #store: ConfigStore;
  readonly #bus: VersionBus;
  readonly #logger: Logger;
  #version = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #moved = Promise.withResolvers<undefined>();
  #isClosed = false;

  private constructor(options: ConfigWriterOptions) {
    this.#store = options.store;
    this.#bus = options.bus;
    this.#logger = options.logger;
  }

  /** Loads the set from the store. */
  static async open(options: ConfigWriterOptions): Promise<ConfigWriter> {
    const writer = new ConfigWriter(options);
    await writer.#reload();
    return writer;
  }

  get version(): number {
    return this.#version;
  }

  /**
   * Plans and commits one write, after those asked for before. `plan` is synchronous and may be called again when
   * another process was faster; what it throws is the caller's. Fails with `conflict` after too many of those.
   *
   * `confirmed`: that there is nothing to change is checked against the store, which may be ahead of this process. For
   * callers who go by the answer.
   */
  write<T>(plan: (set: MeshSet, version: number) => WritePlan<T>, options = { confirmed: false }): Promise<T> {
    return this.#enqueue(() => this.#write(plan, options.confirmed));
  }

  /** Catches up with what other processes committed. */
  refresh(): Promise<void> {
    return this.#enqueue(() => this.#catchUp());
  }

  /** Resolves when the set has a version above `version`, or with the signal; fails with `unavailable` on close. */
  async waitBeyond(version: number, signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<undefined>();
    const abort = (): void => aborted.resolve(undefined);
    signal.addEventListener('abort', abort);
    try {
      while (this.#version <= version && !signal.aborted) {
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

  async #write<T>(plan: (set: MeshSet, version: number) => WritePlan<T>, isConfirmed: boolean): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const planned = plan(this.set, this.#version);
      try {
        if (planned.changes.length > 0) await this.#commit(planned.changes);
        else if (isConfirmed) await this.#confirm();
        return planned.result(this.#version);
      } catch (error) {
        if (FlotillaError.from(error).code !== 'conflict' || attempt >= MAX_CONFLICTS) throw error;
        await this.#catchUp();
      }
    }
  }

  /** Throws `conflict`, as a commit does, when the set is older than the store. */
  async #confirm(): Promise<void> {
    const version = await this.#store.version();
    if (version === this.#version) return;
    throw new FlotillaError('conflict', `the configuration has version ${version}, not ${this.#version}`);
  }

  async #commit(changes: readonly SetChange[]): Promise<void> {
    const written = await this.#store.commit(
      changes.map((change) =>
        change.type === 'delete' ? change : { type: 'put', resource: change.entry.resource, owner: change.entry.owner },
      ),
      this.#version,
    );
    const keys = changes.map((change) => (change.type === 'put' ? change.entry.resource.key : change.key));
    this.set.apply(changes);
    this.#moveTo(written.version);
    await this.#announce(keys);
  }

  /** The commit stands whatever becomes of the announcement: listeners find it in the log at the next one. */
  async #announce(keys: readonly ResourceKey[]): Promise<void> {
    try {
      await this.#bus.publish({ version: this.#version, keys });
    } catch (error) {
      this.#logger.warn('version was committed and not announced', { version: this.#version, error: String(error) });
    }
  }

  async #catchUp(): Promise<void> {
    if ((await this.#store.version()) === this.#version) return;
    const changes: ChangeSet | null = await this.#store.changesSince(this.#version);
    if (changes === null) return this.#reload();
    this.set.apply(
      changes.changes.flatMap(({ key, stored }): readonly SetChange[] => {
        const entry = stored === null ? null : this.#decode(stored);
        return entry === null ? [{ type: 'delete', key }] : [{ type: 'put', entry }];
      }),
    );
    this.#moveTo(changes.version);
  }

  async #reload(): Promise<void> {
    const { version, resources } = await this.#store.snapshot();
    this.set.clear();
    this.set.apply(
      resources.flatMap((stored): readonly SetChange[] => {
        const entry = this.#decode(stored);
        return entry === null ? [] : [{ type: 'put', entry }];
      }),
    );
    this.#moveTo(version);
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

  #moveTo(version: number): void {
    this.#version = version;
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
