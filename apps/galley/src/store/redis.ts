import { randomUUID } from 'node:crypto';
import { formatKey } from '@flotilla/model';
import { type RedisArgument, type RedisConnection, type RedisScript, RedisUnavailableError } from '@flotilla/redis';
import { FlotillaError } from '@flotilla/runtime';
import { conflictWith, DEFAULT_CHANGE_LOG_LIMIT } from './config-store.ts';
import type { ChangeSet, ConfigStore, Revision, Snapshot, StoreChange, StoredChange } from './config-store.ts';
import { assertOurs } from './redis-layout.ts';
import { ALL, CHANGES, COMMIT, COMMIT_MEMORY, KEY_NAMES, LAYOUT, PREPARE, REVISION } from './redis-scripts.ts';
import { decodeValue, encodeDocument } from './redis-value.ts';
import { keyOfRow } from './stored-row.ts';

export interface RedisStoreOptions {
  /** Not closed by the store. */
  readonly connection: RedisConnection;
  readonly changeLogLimit?: number;
  /** How long a commit without an answer is sent again. */
  readonly resendForMs?: number;
  /** Called before a store is made where there is none: what it throws refuses that. Not when one is lost while in use. */
  readonly onAbsent?: () => void;
}

const RESEND_FOR_MS = 10_000;
// What one answer holds: Redis does nothing else while it makes one.
const PAGE = 256;
// How often a snapshot is begun again because the log was trimmed behind it.
const SNAPSHOT_ATTEMPTS = 3;
// Of stores that were lost one after another while galleys ran.
const MAX_FOREBEARS = 16;

/**
 * Opens the store of separate services. What is acknowledged survives what Redis survives: with `appendonly yes` and
 * `appendfsync always` a `kill -9`. Throws `unavailable` while Redis is away, `invalid` for data that is not ours.
 */
export async function openRedisStore(options: RedisStoreOptions): Promise<ConfigStore> {
  const store = new RedisStore(options);
  await store.open(options.onAbsent ?? (() => undefined));
  return store;
}

class RedisStore implements ConfigStore {
  readonly #connection: RedisConnection;
  readonly #keys: readonly string[];
  readonly #changeLogLimit: number;
  readonly #resendForMs: number;
  /** Of the store that was seen last: its epoch, then its forebears. */
  #epochs: readonly string[] = [];
  #isClosed = false;

  constructor(options: RedisStoreOptions) {
    this.#connection = options.connection;
    this.#keys = KEY_NAMES.map((name) => options.connection.key(name));
    this.#changeLogLimit = options.changeLogLimit ?? DEFAULT_CHANGE_LOG_LIMIT;
    this.#resendForMs = options.resendForMs ?? RESEND_FOR_MS;
  }

  async open(onAbsent: () => void): Promise<void> {
    const found = await this.#run(PREPARE, [LAYOUT, '', '']);
    if (found[0] !== 'none') return assertOurs(found, this.#connection.key('*'));
    onAbsent();
    await this.#prepare();
  }

  async revision(): Promise<Revision> {
    const [, epoch = '', version, forebears = ''] = await this.#ask(REVISION, []);
    this.#epochs = [epoch, ...forebears.split(' ').filter((forebear) => forebear !== '')];
    return { epoch, version: Number(version) };
  }

  async forebears(): Promise<readonly string[]> {
    await this.revision();
    return this.#epochs.slice(1);
  }

  /**
   * Reads in pieces while others may write, then takes in what changed since it began: what a piece had missed or had
   * too old is in the log.
   */
  async snapshot(): Promise<Snapshot> {
    for (let attempt = 0; attempt < SNAPSHOT_ATTEMPTS; attempt++) {
      const begun = await this.revision();
      const found = new Map<string, string>();
      let cursor = '0';
      do {
        const [next, values] = await this.#scan(cursor);
        for (let i = 0; i + 1 < values.length; i += 2) found.set(values[i] ?? '', values[i + 1] ?? '');
        cursor = next;
      } while (cursor !== '0');
      const since = await this.#valuesSince(begun);
      if (since === null) continue;
      for (const [key, { value }] of since.values) {
        if (value === '') found.delete(key);
        else found.set(key, value);
      }
      return snapshotOf(begun.epoch, since.version, found);
    }
    const [, epoch = '', version, ...values] = await this.#ask(ALL, []);
    const all = new Map<string, string>();
    for (let i = 0; i + 1 < values.length; i += 2) all.set(values[i] ?? '', values[i + 1] ?? '');
    return snapshotOf(epoch, Number(version), all);
  }

  async changesSince(revision: Revision): Promise<ChangeSet | null> {
    const since = await this.#valuesSince(revision);
    if (since === null) return null;
    const changes = [...since.values].map(([key, { version, value }]): StoredChange => {
      return { key: keyOfRow({ key }), version, stored: value === '' ? null : decodeValue(key, value) };
    });
    return { epoch: revision.epoch, version: since.version, changes };
  }

  async commit(changes: readonly StoreChange[], expected: Revision): Promise<Snapshot> {
    const version = expected.version + 1;
    const [verdict, ...facts] = await this.#askCommit([
      expected.epoch,
      expected.version,
      version,
      randomUUID(),
      this.#changeLogLimit,
      version - COMMIT_MEMORY,
      ...changes.flatMap((change) =>
        change.type === 'put'
          ? [
              'put',
              formatKey(change.resource.key),
              change.resource.createdAtMs,
              encodeDocument(change.resource, change.owner),
            ]
          : ['delete', formatKey(change.key), '', ''],
      ),
    ]);
    if (verdict === 'conflict') throw conflictWith({ epoch: facts[0] ?? '', version: Number(facts[1]) }, expected);
    const kept = decodeKept(facts[0] ?? '');
    const resources = changes
      .flatMap((change) => (change.type === 'put' ? [change] : []))
      .map(({ resource, owner }, index) => ({
        owner,
        resource: { ...resource, resourceVersion: version, createdAtMs: kept.get(index) ?? resource.createdAtMs },
      }));
    return { epoch: expected.epoch, version, resources };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  /** Sends a commit until it is answered: the store knows a commit that it has made by its id. */
  async #askCommit(args: readonly RedisArgument[]): Promise<readonly string[]> {
    const deadline = AbortSignal.timeout(this.#resendForMs);
    let mayBeDone: FlotillaError | null = null;
    for (;;) {
      try {
        const answer = await this.#ask(COMMIT, args);
        if (mayBeDone !== null && answer[0] === 'conflict' && answer[3] === 'forgotten')
          throw outcomeUnknown(mayBeDone);
        return answer;
      } catch (error) {
        if (error instanceof RedisUnavailableError && error.mayBeDone) mayBeDone = error;
        if (mayBeDone === null || !(error instanceof RedisUnavailableError)) throw error;
      }
      if (deadline.aborted) throw outcomeUnknown(mayBeDone);
      const cause = mayBeDone;
      await this.#connection.waitUntilReady(deadline).catch(() => {
        throw outcomeUnknown(cause);
      });
    }
  }

  /** The values of what changed, by key in the order of versions; later pages overtake earlier ones. */
  async #valuesSince(revision: Revision): Promise<{
    readonly version: number;
    readonly values: ReadonlyMap<string, { version: number; value: string }>;
  } | null> {
    const values = new Map<string, { version: number; value: string }>();
    let since = revision.version;
    for (;;) {
      const [verdict, version, through, ...page] = await this.#ask(CHANGES, [revision.epoch, since, PAGE]);
      if (verdict === 'unknown') return null;
      for (let i = 0; i + 2 < page.length; i += 3) {
        const key = page[i] ?? '';
        values.delete(key);
        values.set(key, { version: Number(page[i + 1]), value: page[i + 2] ?? '' });
      }
      since = Number(through);
      if (through === version) return { version: since, values };
    }
  }

  /** Makes the store where there is none. A Redis that lost its data gets a new one, which has another epoch. */
  async #prepare(): Promise<void> {
    const forebears = this.#epochs.slice(0, MAX_FOREBEARS).join(' ');
    assertOurs(await this.#run(PREPARE, [LAYOUT, randomUUID(), forebears]), this.#connection.key('*'));
  }

  async #scan(cursor: string): Promise<readonly [string, readonly string[]]> {
    this.#assertOpen();
    const answer = await this.#connection.call('HSCAN', this.#connection.key('resources'), cursor, 'COUNT', PAGE);
    return answer as [string, string[]]; // The form of HSCAN's answer.
  }

  /** Asks a script that needs the store; a store that went away with its Redis's data is made anew. */
  async #ask(script: RedisScript, args: readonly RedisArgument[]): Promise<readonly string[]> {
    for (;;) {
      const answer = await this.#run(script, [LAYOUT, ...args]);
      if (answer[0] === 'none') await this.#prepare();
      else if (answer[0] === 'layout') assertOurs(answer, this.#connection.key('*'));
      else return answer;
    }
  }

  async #run(script: RedisScript, args: readonly RedisArgument[]): Promise<readonly string[]> {
    this.#assertOpen();
    try {
      return (await this.#connection.run(script, this.#keys, args)) as string[]; // What the scripts return.
    } catch (error) {
      // A key of another type: say which.
      if (FlotillaError.from(error).code === 'invalid' && script !== PREPARE) await this.#prepare();
      throw error;
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new FlotillaError('unavailable', 'the configuration store is closed');
  }
}

function snapshotOf(epoch: string, version: number, values: ReadonlyMap<string, string>): Snapshot {
  const resources = [...values.keys()].sort().map((key) => decodeValue(key, values.get(key) ?? ''));
  return { epoch, version, resources };
}

/** `0:1000,3:2000`: times of creation by the index of the put. */
function decodeKept(text: string): ReadonlyMap<number, number> {
  const pairs = text.split(',').map((pair) => pair.split(':'));
  return new Map(
    pairs.flatMap(([index, createdAt]) => (createdAt === undefined ? [] : [[Number(index), Number(createdAt)]])),
  );
}

function outcomeUnknown(cause: FlotillaError): FlotillaError {
  return new FlotillaError('unavailable', `it is not known whether the change was made: ${cause.message}`, {
    cause,
    hint: 'Look whether it is there when the store can be reached again, and repeat it if not.',
  });
}
