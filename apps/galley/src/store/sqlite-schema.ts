import type { DatabaseSync } from 'node:sqlite';
import { FlotillaError } from '@flotilla/runtime';

// "FLOT": says in the file's header whose it is.
const APPLICATION_ID = 0x464c_4f54;
// 1 had no epoch.
const SCHEMA_VERSION = 2;

// Of the store as a whole, in a row that its making fills.
const EPOCH = `
  CREATE TABLE epoch (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL) STRICT;
  INSERT INTO epoch VALUES (1, lower(hex(randomblob(16))));
`;

const TABLES = `
  CREATE TABLE resources (
    key TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    owner TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL,
    key TEXT NOT NULL
  ) STRICT;
  CREATE INDEX changes_by_version ON changes (version);
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  -- version: of the whole set. trimmed: the newest version that the log no longer explains.
  INSERT INTO meta VALUES ('version', 0), ('trimmed', 0);
  ${EPOCH}
`;

/**
 * Sets the connection up and makes the tables in a new file. Throws `invalid` for a file of another program, of a
 * newer galley, or damaged.
 */
export function prepareDatabase(database: DatabaseSync): void {
  database.exec('PRAGMA busy_timeout = 5000');
  const applicationId = pragma(database, 'application_id');
  if (applicationId !== APPLICATION_ID) {
    const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'];
    if (applicationId !== 0 || tables !== 0) {
      throw new FlotillaError('invalid', 'the file is a database of another program', {
        hint: 'Choose another data directory, or move the file away.',
      });
    }
  }
  database.exec('PRAGMA journal_mode = WAL');
  // FULL: a commit waits for the disk.
  database.exec('PRAGMA synchronous = FULL');
  database.exec('PRAGMA trusted_schema = OFF');
  if (applicationId === APPLICATION_ID) checkExisting(database);
  else createTables(database);
}

function checkExisting(database: DatabaseSync): void {
  if (pragma(database, 'user_version') === 1) addEpoch(database);
  const schemaVersion = pragma(database, 'user_version');
  if (schemaVersion !== SCHEMA_VERSION) {
    throw new FlotillaError(
      'invalid',
      `the store has schema ${schemaVersion}, and this version reads ${SCHEMA_VERSION}`,
      {
        hint: 'A newer Flotilla wrote it: start that one, or choose another data directory.',
      },
    );
  }
  const verdict = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (verdict !== 'ok') {
    throw new FlotillaError('invalid', `the store is damaged: ${String(verdict)}`, {
      hint: 'Restore it from a copy, or move it away to begin with an empty store.',
    });
  }
}

function addEpoch(database: DatabaseSync): void {
  inTransaction(database, () => {
    // Two processes may open it at once.
    if (pragma(database, 'user_version') !== 1) return;
    database.exec(EPOCH);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

function createTables(database: DatabaseSync): void {
  inTransaction(database, () => {
    // Two processes may have found the file empty at once.
    if (pragma(database, 'application_id') === APPLICATION_ID) return;
    database.exec(TABLES);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

function inTransaction(database: DatabaseSync, change: () => void): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    change();
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

function pragma(database: DatabaseSync, name: 'application_id' | 'user_version'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}
