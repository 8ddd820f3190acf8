import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import type { ConfigStore } from './config-store.ts';
import { commitAt, configStoreSuite, put } from './config-store.suite.ts';
import { openSqliteStore } from './sqlite.ts';

const root = mkdtempSync(join(tmpdir(), 'galley-store-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
const freshPath = (): string => join(root, String(count++), 'galley.sqlite');
const paths = new Map<ConfigStore, string>();

configStoreSuite({
  async make(options) {
    const path = freshPath();
    const store = openSqliteStore({ path, ...options });
    paths.set(store, path);
    return store;
  },
  reopen: async (store) => openSqliteStore({ path: paths.get(store) ?? '' }),
});

describe('the SQLite store', () => {
  it('refuses a path under a file', () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    expect(() => openSqliteStore({ path: join(file, 'galley.sqlite') })).toThrow(
      /nothing can be written to .*file: it is not a directory \(unable to open database file\)/,
    );
  });

  it('refuses a place where no directory can be made', () => {
    expect(() => openSqliteStore({ path: '/proc/galley/galley.sqlite' })).toThrow(
      /cannot open the configuration store/,
    );
  });

  it('refuses a path that is a directory', () => {
    expect(() => openSqliteStore({ path: root })).toThrow(/cannot open the configuration store/);
  });

  it('refuses a file that is no database, and leaves it as it is', () => {
    const path = join(root, 'text.sqlite');
    writeFileSync(path, 'not a database, but longer than the header of one would be: '.repeat(20));
    expect(() => openSqliteStore({ path })).toThrow(/not a database/);
  });

  it('refuses the database of another program', () => {
    const path = join(root, 'foreign.sqlite');
    const foreign = new DatabaseSync(path);
    foreign.exec('CREATE TABLE theirs (x)');
    foreign.close();
    expect(() => openSqliteStore({ path })).toThrow(/is a database of another program/);
  });

  it('refuses a store of a newer version', async () => {
    const path = freshPath();
    await openSqliteStore({ path }).close();
    const raw = new DatabaseSync(path);
    raw.exec('PRAGMA user_version = 99');
    raw.close();
    expect(() => openSqliteStore({ path })).toThrow(/the store has schema 99/);
  });

  it('gives a store of the version before epochs one, and keeps what is in it', async () => {
    const path = freshPath();
    const store = openSqliteStore({ path });
    await commitAt(store, [put('a')], 0);
    await store.close();
    const raw = new DatabaseSync(path);
    raw.exec('DROP TABLE epoch');
    raw.exec('PRAGMA user_version = 1');
    raw.close();
    const again = openSqliteStore({ path });
    expect(await again.revision()).toEqual({ epoch: expect.stringMatching(/^[0-9a-f]{32}$/), version: 1 });
    await again.close();
  });

  it('refuses a damaged store', async () => {
    const path = freshPath();
    const store = openSqliteStore({ path });
    await commitAt(
      store,
      Array.from({ length: 200 }, (_, index) => put(`r${index}`)),
      0,
    );
    await store.close();
    const bytes = readFileSync(path);
    bytes.fill(0xff, 3 * 4096 + 8, 6 * 4096);
    writeFileSync(path, bytes);
    expect(() => openSqliteStore({ path })).toThrow(/cannot open the configuration store/);
  });
});
