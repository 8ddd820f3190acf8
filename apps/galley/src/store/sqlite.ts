import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { FlotillaError } from '@flotilla/runtime';
import { makeDirectory, pinFiles, whyUnwritable } from '@flotilla/runtime/disk';
import { formatKey } from '@flotilla/model';
import type { Resource } from '@flotilla/model';
import { conflictWith, DEFAULT_CHANGE_LOG_LIMIT, isSameRevision } from './config-store.ts';
import type { ChangeSet, ConfigStore, Revision, Snapshot, StoreChange, StoredResource } from './config-store.ts';
import { prepareDatabase } from './sqlite-schema.ts';
import { decodeRow, encodeResource, keyOfRow, numberOf } from './stored-row.ts';

export interface SqliteStoreOptions {
  /** Path of the database file, whose directory is made when it is missing; or `:memory:`. */
  readonly path: string;
  readonly changeLogLimit?: number;
  /** Called before a store is made where there is none: what it throws refuses that, and leaves all as it is. */
  readonly onAbsent?: () => void;
}

/**
 * Opens the store of the embedded mesh. WAL with `synchronous=FULL`: a commit is on the disk before it is
 * acknowledged. Throws `system` when the file cannot be written, `invalid` when it is not a store of galley's. Files that
 * are removed or replaced while it is open are noticed with the next commit, which is refused.
 */
export function openSqliteStore(options: SqliteStoreOptions): ConfigStore {
  const { path } = options;
  let database: DatabaseSync | undefined;
  try {
    const isFile = path !== ':memory:';
    if (isFile && isEmpty(path)) options.onAbsent?.();
    if (isFile) makeDirectory(dirname(resolve(path)));
    database = new DatabaseSync(path);
    prepareDatabase(database);
    const assertUnmoved = isFile ? pinFiles([path, `${path}-wal`]) : () => undefined;
    return new SqliteStore(database, path, options.changeLogLimit ?? DEFAULT_CHANGE_LOG_LIMIT, assertUnmoved);
  } catch (error) {
    database?.close();
    throw storeError(error, path).within(`cannot open the configuration store ${path}`);
  }
}

/** Whether SQLite would take it for a new database. */
function isEmpty(path: string): boolean {
  const facts = statSync(path, { throwIfNoEntry: false });
  return facts === undefined || (facts.isFile() && facts.size === 0);
}

class SqliteStore implements ConfigStore {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #changeLogLimit: number;
  readonly #assertUnmoved: () => void;
  readonly #statements: ReturnType<typeof prepareStatements>;
  #isClosed = false;

  constructor(database: DatabaseSync, path: string, changeLogLimit: number, assertUnmoved: () => void) {
    this.#database = database;
    this.#path = path;
    this.#assertUnmoved = assertUnmoved;
    this.#changeLogLimit = changeLogLimit;
    this.#statements = prepareStatements(database);
  }

  async revision(): Promise<Revision> {
    return this.#read(() => this.#revision());
  }

  async snapshot(): Promise<Snapshot> {
    return this.#read(() => ({
      ...this.#revision(),
      resources: this.#statements.all.all().map(decodeRow),
    }));
  }

  async commit(changes: readonly StoreChange[], expected: Revision): Promise<Snapshot> {
    // SQLite would go on writing into files that have no name any more.
    this.#assertUnmoved();
    const written = this.#transaction('IMMEDIATE', () => {
      const current = this.#revision();
      if (!isSameRevision(current, expected)) throw conflictWith(current, expected);
      const version = current.version + 1;
      const resources = changes.flatMap((change) => this.#write(change, version));
      this.#trim();
      this.#statements.setMeta.run('version', version);
      return { epoch: current.epoch, version, resources };
    });
    this.#assertUnmoved();
    return written;
  }

  async forebears(): Promise<readonly string[]> {
    return [];
  }

  async changesSince({ epoch, version }: Revision): Promise<ChangeSet | null> {
    return this.#read(() => {
      const current = this.#revision();
      if (epoch !== current.epoch || version > current.version || version < this.#meta('trimmed')) return null;
      const changes = this.#statements.changes.all(version).map((row) => ({
        key: keyOfRow(row),
        stored: row['document'] === null ? null : decodeRow(row),
        version: numberOf(row, 'changed'),
      }));
      return { ...current, changes };
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#database.close();
  }

  #write(change: StoreChange, version: number): readonly StoredResource[] {
    const key = formatKey(change.type === 'put' ? change.resource.key : change.key);
    this.#statements.log.run(version, key);
    if (change.type === 'delete') {
      this.#statements.remove.run(key);
      return [];
    }
    const { owner, resource } = change;
    const document = encodeResource(resource);
    const row = this.#statements.put.get(key, document, owner, version, resource.createdAtMs);
    const written: Resource = { ...resource, resourceVersion: version, createdAtMs: numberOf(row ?? {}, 'created_at') };
    return [{ resource: written, owner }];
  }

  /** Drops whole versions from the log's beginning, until it holds no more than it may. */
  #trim(): void {
    const bound = this.#statements.bound.get();
    const surplus = numberOf(bound ?? {}, 'length') - this.#changeLogLimit;
    if (surplus <= 0) return;
    const through = numberOf(this.#statements.versionAt.get(surplus - 1) ?? {}, 'version');
    this.#statements.trim.run(through);
    this.#statements.setMeta.run('trimmed', through);
  }

  #revision(): Revision {
    return { epoch: String(this.#statements.epoch.get()?.['name'] ?? ''), version: this.#meta('version') };
  }

  #meta(name: 'version' | 'trimmed'): number {
    return numberOf(this.#statements.meta.get(name) ?? {}, 'value');
  }

  /** Within a transaction too, so that all statements see one state. */
  #read<T>(read: () => T): T {
    return this.#transaction('DEFERRED', read);
  }

  #transaction<T>(mode: 'DEFERRED' | 'IMMEDIATE', action: () => T): T {
    if (this.#isClosed) throw new FlotillaError('unavailable', 'the configuration store is closed');
    try {
      this.#database.exec(`BEGIN ${mode}`);
      try {
        const result = action();
        this.#database.exec('COMMIT');
        return result;
      } catch (error) {
        // A failed COMMIT (a full disk) leaves the transaction open as well.
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }
}

function prepareStatements(database: DatabaseSync): Readonly<Record<string, StatementSync>> & {
  readonly [
    K in 'all' | 'epoch' | 'meta' | 'setMeta' | 'log' | 'remove' | 'put' | 'changes' | 'bound' | 'versionAt' | 'trim'
  ]: StatementSync;
} {
  return {
    all: database.prepare('SELECT key, document, owner, version, created_at FROM resources ORDER BY key'),
    epoch: database.prepare('SELECT name FROM epoch'),
    meta: database.prepare('SELECT value FROM meta WHERE name = ?'),
    setMeta: database.prepare('UPDATE meta SET value = ?2 WHERE name = ?1'),
    log: database.prepare('INSERT INTO changes (version, key) VALUES (?, ?)'),
    remove: database.prepare('DELETE FROM resources WHERE key = ?'),
    put: database.prepare(
      `INSERT INTO resources (key, document, owner, version, created_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET document = excluded.document, owner = excluded.owner, version = excluded.version
       RETURNING created_at`,
    ),
    changes: database.prepare(
      `SELECT c.key, c.changed, r.document, r.owner, r.version, r.created_at
       FROM (SELECT key, max(version) AS changed FROM changes WHERE version > ? GROUP BY key) AS c
       LEFT JOIN resources AS r USING (key) ORDER BY c.changed, c.key`,
    ),
    // Sequence numbers have no gaps: rows go in the order they came.
    bound: database.prepare('SELECT coalesce(max(seq) - min(seq) + 1, 0) AS length FROM changes'),
    versionAt: database.prepare('SELECT version FROM changes ORDER BY seq LIMIT 1 OFFSET ?'),
    trim: database.prepare('DELETE FROM changes WHERE version <= ?'),
  };
}

// Of SQLite's result codes, those behind which is the disk: READONLY, IOERR, FULL, CANTOPEN.
const DISK_CODES: ReadonlySet<unknown> = new Set([8, 10, 13, 14]);

function storeError(thrown: unknown, path: string): FlotillaError {
  if (thrown instanceof FlotillaError) return thrown;
  const error = FlotillaError.from(thrown, 'system');
  const directory = dirname(resolve(path));
  const why = isDiskError(thrown) && path !== ':memory:' ? whyUnwritable(directory) : null;
  if (why === null) return new FlotillaError('system', error.message, { cause: thrown, hint: hintFor(error.message) });
  return new FlotillaError('system', `nothing can be written to ${directory}: ${why} (${error.message})`, {
    cause: thrown,
    hint: 'Nothing was changed. Make it writable, or free space on its disk, and repeat the change.',
  });
}

function isDiskError(thrown: unknown): boolean {
  const { errcode } = thrown as { readonly errcode?: unknown };
  return typeof errcode === 'number' && DISK_CODES.has(errcode & 0xff);
}

function hintFor(message: string): string {
  if (/not a database|malformed|corrupt/i.test(message)) {
    return 'The file is damaged or belongs to another program. Restore it from a copy, or choose another data directory.';
  }
  if (/locked|busy/i.test(message)) return 'Another process holds the file. Stop it, or choose another data directory.';
  return 'Check that the directory exists, can be written, and is not a file.';
}
