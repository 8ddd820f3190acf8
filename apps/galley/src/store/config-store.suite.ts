import { afterEach, describe, expect, it } from 'vitest';
import type { Resource } from '@flotilla/model';
import type { ChangeSet, ConfigStore, Snapshot, StoreChange } from './config-store.ts';

export interface ConfigStoreSuiteOptions {
  /** A fresh, empty store. */
  make(options: { readonly changeLogLimit?: number }): Promise<ConfigStore>;
  /** A second connection to the same data, as after a restart. */
  reopen(store: ConfigStore): Promise<ConfigStore>;
}

export function testResource(name: string, value = 1, createdAtMs = 1000): Resource {
  return {
    key: { group: 'networking.istio.io', kind: 'VirtualService', namespace: 'default', name },
    apiVersion: 'networking.istio.io/v1',
    labels: { app: name },
    annotations: {},
    body: { spec: { value, text: 'ünï"\'; --' } },
    origin: { source: 'a.yaml', line: 3, column: 1 },
    resourceVersion: 0,
    createdAtMs,
  };
}

export function put(name: string, value = 1, createdAtMs = 1000): StoreChange {
  return { type: 'put', resource: testResource(name, value, createdAtMs), owner: 'api' };
}

const remove = (name: string): StoreChange => ({ type: 'delete', key: testResource(name).key });

/** Commits as the version after `version`, in the store's own epoch. */
export async function commitAt(
  store: ConfigStore,
  changes: readonly StoreChange[],
  version: number,
): Promise<Snapshot> {
  const { epoch } = await store.revision();
  return store.commit(changes, { epoch, version });
}

async function changesAfter(store: ConfigStore, version: number): Promise<ChangeSet | null> {
  const { epoch } = await store.revision();
  return store.changesSince({ epoch, version });
}

/** What every configuration store does. */
export function configStoreSuite({ make, reopen }: ConfigStoreSuiteOptions): void {
  const open: ConfigStore[] = [];
  const start = async (options: { readonly changeLogLimit?: number } = {}): Promise<ConfigStore> => {
    const store = await make(options);
    open.push(store);
    return store;
  };
  const names = async (store: ConfigStore): Promise<readonly string[]> =>
    (await store.snapshot()).resources.map(({ resource }) => resource.key.name).sort();

  afterEach(async () => {
    await Promise.all(open.splice(0).map((store) => store.close()));
  });

  describe('a configuration store', () => {
    it('begins empty, at version 0', async () => {
      const store = await start();
      const { epoch } = await store.revision();
      expect(epoch).toMatch(/^[0-9a-f-]{20,}$/);
      expect(await store.snapshot()).toEqual({ epoch, version: 0, resources: [] });
      expect(await changesAfter(store, 0)).toEqual({ epoch, version: 0, changes: [] });
    });

    it('keeps what was committed as it was written', async () => {
      const store = await start();
      const written = await commitAt(store, [put('a')], 0);
      const stored = { owner: 'api', resource: { ...testResource('a'), resourceVersion: 1 } };
      expect(written).toEqual({ epoch: written.epoch, version: 1, resources: [stored] });
      expect(await store.snapshot()).toEqual({ epoch: written.epoch, version: 1, resources: [stored] });
    });

    it('writes a batch as one version', async () => {
      const store = await start();
      await commitAt(store, [put('a'), put('b')], 0);
      await commitAt(store, [remove('a'), put('c')], 1);
      expect((await store.revision()).version).toBe(2);
      expect(await names(store)).toEqual(['b', 'c']);
    });

    it('keeps the time of creation across updates, and begins anew after a deletion', async () => {
      const store = await start();
      await commitAt(store, [put('a', 1, 1000)], 0);
      const updated = await commitAt(store, [put('a', 2, 2000)], 1);
      expect(updated.resources[0]?.resource).toMatchObject({ createdAtMs: 1000, resourceVersion: 2 });
      await commitAt(store, [remove('a')], 2);
      const recreated = await commitAt(store, [put('a', 3, 3000)], 3);
      expect(recreated.resources[0]?.resource.createdAtMs).toBe(3000);
    });

    it('refuses a commit on another version, and writes nothing of it', async () => {
      const store = await start();
      await commitAt(store, [put('a')], 0);
      await expect(commitAt(store, [put('b'), remove('a')], 0)).rejects.toMatchObject({ code: 'conflict' });
      await expect(commitAt(store, [put('b')], 2)).rejects.toMatchObject({ code: 'conflict' });
      expect(await names(store)).toEqual(['a']);
      expect((await store.revision()).version).toBe(1);
    });

    it('lets exactly one of two writers at one version through', async () => {
      const store = await start();
      const twin = await reopen(store);
      open.push(twin);
      const outcomes = await Promise.allSettled([commitAt(store, [put('a')], 0), commitAt(twin, [put('b')], 0)]);
      expect(outcomes.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
      expect(await names(store)).toHaveLength(1);
    });

    it('survives being closed and opened', async () => {
      const store = await start();
      await commitAt(store, [put('a')], 0);
      await commitAt(store, [put('b', 7)], 1);
      const again = await reopen(store);
      open.push(again);
      expect(await again.snapshot()).toEqual(await store.snapshot());
      expect((await changesAfter(again, 1))?.changes).toHaveLength(1);
    });

    it('tells what changed since a version, each resource once, as it is now', async () => {
      const store = await start();
      await commitAt(store, [put('a'), put('b')], 0);
      await commitAt(store, [put('c')], 1);
      await commitAt(store, [put('b', 2)], 2);
      await commitAt(store, [remove('a'), put('b', 3)], 3);
      const since = await changesAfter(store, 1);
      expect(since?.version).toBe(4);
      const told = since?.changes.map(({ key, stored, version }) => [key.name, stored?.resource.body['spec'], version]);
      expect(told).toEqual([
        ['c', testResource('c', 1).body['spec'], 2],
        ['a', undefined, 4],
        ['b', testResource('b', 3).body['spec'], 4],
      ]);
      expect((await changesAfter(store, 4))?.changes).toEqual([]);
    });

    it('does not know a version that it never had', async () => {
      const store = await start();
      await commitAt(store, [put('a')], 0);
      expect(await changesAfter(store, 2)).toBeNull();
    });

    it('trims the oldest versions from a log that is too long', async () => {
      const store = await start({ changeLogLimit: 3 });
      for (let version = 0; version < 6; version++) await commitAt(store, [put(`r${version}`)], version);
      expect(await changesAfter(store, 2)).toBeNull();
      expect((await changesAfter(store, 3))?.changes.map(({ key }) => key.name)).toEqual(['r3', 'r4', 'r5']);
      expect(await names(store)).toHaveLength(6);
    });

    it('trims a version as a whole', async () => {
      const store = await start({ changeLogLimit: 2 });
      await commitAt(store, [put('a'), put('b'), put('c')], 0);
      expect(await changesAfter(store, 0)).toBeNull();
      expect((await changesAfter(store, 1))?.changes).toEqual([]);
    });

    it('has an epoch of its own, and knows no version of another', async () => {
      const [store, other] = [await start(), await start()];
      await commitAt(store, [put('a')], 0);
      const { version } = await commitAt(other, [put('b')], 0);
      const { epoch } = await other.revision();
      expect(await store.changesSince({ epoch, version })).toBeNull();
      await expect(store.commit([put('c')], { epoch, version })).rejects.toMatchObject({ code: 'conflict' });
      expect(await names(store)).toEqual(['a']);
    });

    it('keeps its epoch when it is opened again', async () => {
      const store = await start();
      const again = await reopen(store);
      open.push(again);
      expect(await again.revision()).toEqual(await store.revision());
    });

    it('holds ten thousand resources of one commit, and tells them as changes', async () => {
      const store = await start({ changeLogLimit: 20_000 });
      const puts = Array.from({ length: 10_000 }, (_, index) => put(`r${String(index).padStart(5, '0')}`, index));
      await commitAt(store, [put('first')], 0);
      expect((await commitAt(store, puts, 1)).resources).toHaveLength(10_000);
      await commitAt(store, [remove('r00003'), put('r00004', -1)], 2);
      const { version, resources } = await store.snapshot();
      expect([version, resources.length]).toEqual([3, 10_000]);
      expect(resources.map(({ resource }) => resource.key.name)).toEqual(
        resources.map(({ resource }) => resource.key.name).sort(),
      );
      const since = await changesAfter(store, 1);
      expect(since?.changes).toHaveLength(10_000);
      expect(since?.changes.slice(-2).map(({ key, version: at }) => [key.name, at])).toEqual([
        ['r00003', 3],
        ['r00004', 3],
      ]);
      expect((await changesAfter(store, 2))?.changes).toHaveLength(2);
    });

    it('holds a resource of hundreds of kilobytes', async () => {
      const store = await start();
      const big = { ...testResource('big'), body: { spec: { text: 'ünï"\n'.repeat(100_000) } } };
      await commitAt(store, [{ type: 'put', resource: big, owner: 'directory:/x\ny' }], 0);
      const [stored] = (await store.snapshot()).resources;
      expect(stored).toEqual({ owner: 'directory:/x\ny', resource: { ...big, resourceVersion: 1 } });
    });

    it('tells a snapshot of one version while others write', async () => {
      const store = await start();
      const twin = await reopen(store);
      open.push(twin);
      // Every version has as many resources as its number says, all of the newest value.
      let version = 0;
      const writing = (async () => {
        for (; version < 30; version++) {
          const puts = Array.from({ length: (version + 1) * 20 }, (_, index) => put(`r${index}`, version + 1));
          await commitAt(twin, puts, version);
        }
      })();
      const seen: number[] = [];
      while (version < 30) {
        const snapshot = await store.snapshot();
        seen.push(snapshot.version);
        expect(snapshot.resources).toHaveLength(snapshot.version * 20);
        const values = new Set(snapshot.resources.map(({ resource }) => JSON.stringify(resource.body['spec'])));
        expect(values.size).toBe(snapshot.version === 0 ? 0 : 1);
      }
      await writing;
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
    });

    it('is unavailable once closed', async () => {
      const store = await start();
      await store.close();
      await store.close();
      await expect(store.revision()).rejects.toMatchObject({ code: 'unavailable' });
    });
  });
}
