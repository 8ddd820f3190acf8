import { copyFileSync, mkdtempSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@flotilla/observe';
import { openInventory } from '@flotilla/runtime/disk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigStore } from './config-store.ts';
import { commitAt, put } from './config-store.suite.ts';
import { openStore } from './open-store.ts';

let root: string;
let path: string;
const opened: ConfigStore[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'galley-known-'));
  path = join(root, 'galley.sqlite');
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  rmSync(root, { recursive: true, force: true });
});

async function open(beginAnew: readonly string[] = []): Promise<ConfigStore> {
  const inventory = openInventory({ places: [root], beginAnew });
  const store = await openStore({ kind: 'sqlite', path, inventory }, { logger: silentLogger });
  opened.push(store);
  return store;
}

/** A store with one resource, closed; its epoch. */
async function madeBefore(): Promise<string> {
  const store = await open();
  const { epoch } = await commitAt(store, [put('a')], 0);
  await store.close();
  return epoch;
}

const remove = (): void => ['', '-wal', '-shm'].forEach((suffix) => rmSync(`${path}${suffix}`, { force: true }));

describe('a store that is known', () => {
  it.each([
    ['removed', remove],
    ['truncated', () => truncateSync(path)],
  ])('is not begun anew when it was %s, unless that is meant', async (_, harm) => {
    const epoch = await madeBefore();
    harm();
    await expect(open()).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/galley.sqlite had the store .*, and there is none now/),
      hint: expect.stringContaining(`--begin-anew store:${epoch.slice(0, 12)}`),
    });
    const anew = await open([`store:${epoch.slice(0, 12)}`]);
    expect(await anew.revision()).toMatchObject({ version: 0 });
    await anew.close();
    // Remembered from now on, though nothing was written to it yet.
    expect(await (await open()).revision()).toMatchObject({ version: 0 });
  });

  it('is not taken for another one', async () => {
    await madeBefore();
    renameSync(path, join(root, 'first'));
    rmSync(join(root, 'inventory.json'));
    await madeBefore();
    copyFileSync(join(root, 'first'), path);
    await expect(open()).rejects.toThrow(/what is there now is another one/);
  });

  it('may be lost while nothing was ever written to it', async () => {
    await (await open()).close();
    remove();
    await commitAt(await open(), [put('a')], 0);
  });

  it.each([
    ['its directory is removed', () => rmSync(root, { recursive: true }), /galley.sqlite was removed/],
    ['its directory is moved away', () => renameSync(root, `${root}.away`), /galley.sqlite was removed/],
    [
      'its file is replaced',
      () => {
        copyFileSync(path, `${path}.copy`);
        renameSync(`${path}.copy`, path);
      },
      /galley.sqlite was replaced/,
    ],
    ['its log is removed', () => rmSync(`${path}-wal`), /galley.sqlite-wal was removed/],
  ])('refuses a commit after %s, and goes on being read', async (_, harm, message) => {
    const store = await open();
    await commitAt(store, [put('a')], 0);
    harm();
    await expect(commitAt(store, [put('b')], 1)).rejects.toMatchObject({
      code: 'system',
      message: expect.stringMatching(message),
      hint: expect.stringContaining('restart'),
    });
    expect((await store.snapshot()).resources).toHaveLength(1);
    rmSync(`${root}.away`, { recursive: true, force: true });
  });
});
