import { afterEach, describe, expect, it } from 'vitest';
import type { Resource } from '@flotilla/model';
import type { ConfigStore, StoreChange } from './config-store.ts';

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
      expect(await store.snapshot()).toEqual({ version: 0, resources: [] });
      expect(await store.changesSince(0)).toEqual({ version: 0, changes: [] });
    });

    it('keeps what was committed as it was written', async () => {
      const store = await start();
      const written = await store.commit([put('a')], 0);
      const stored = { owner: 'api', resource: { ...testResource('a'), resourceVersion: 1 } };
      expect(written).toEqual({ version: 1, resources: [stored] });
      expect(await store.snapshot()).toEqual({ version: 1, resources: [stored] });
    });

    it('writes a batch as one version', async () => {
      const store = await start();
      await store.commit([put('a'), put('b')], 0);
      await store.commit([remove('a'), put('c')], 1);
      expect(await store.version()).toBe(2);
      expect(await names(store)).toEqual(['b', 'c']);
    });

    it('keeps the time of creation across updates, and begins anew after a deletion', async () => {
      const store = await start();
      await store.commit([put('a', 1, 1000)], 0);
      const updated = await store.commit([put('a', 2, 2000)], 1);
      expect(updated.resources[0]?.resource).toMatchObject({ createdAtMs: 1000, resourceVersion: 2 });
      await store.commit([remove('a')], 2);
      const recreated = await store.commit([put('a', 3, 3000)], 3);
      expect(recreated.resources[0]?.resource.createdAtMs).toBe(3000);
    });

    it('refuses a commit on another version, and writes nothing of it', async () => {
      const store = await start();
      await store.commit([put('a')], 0);
      await expect(store.commit([put('b'), remove('a')], 0)).rejects.toMatchObject({ code: 'conflict' });
      await expect(store.commit([put('b')], 2)).rejects.toMatchObject({ code: 'conflict' });
      expect(await names(store)).toEqual(['a']);
      expect(await store.version()).toBe(1);
    });

    it('lets exactly one of two writers at one version through', async () => {
      const store = await start();
      const twin = await reopen(store);
      open.push(twin);
      const outcomes = await Promise.allSettled([store.commit([put('a')], 0), twin.commit([put('b')], 0)]);
      expect(outcomes.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
      expect(await names(store)).toHaveLength(1);
    });

    it('survives being closed and opened', async () => {
      const store = await start();
      await store.commit([put('a')], 0);
      await store.commit([put('b', 7)], 1);
      const again = await reopen(store);
      open.push(again);
      expect(await again.snapshot()).toEqual(await store.snapshot());
      expect((await again.changesSince(1))?.changes).toHaveLength(1);
    });

    it('tells what changed since a version, each resource once, as it is now', async () => {
      const store = await start();
      await store.commit([put('a'), put('b')], 0);
      await store.commit([put('c')], 1);
      await store.commit([put('b', 2)], 2);
      await store.commit([remove('a'), put('b', 3)], 3);
      const since = await store.changesSince(1);
      expect(since?.version).toBe(4);
      const told = since?.changes.map(({ key, stored, version }) => [key.name, stored?.resource.body['spec'], version]);
      expect(told).toEqual([
        ['c', testResource('c', 1).body['spec'], 2],
        ['a', undefined, 4],
        ['b', testResource('b', 3).body['spec'], 4],
      ]);
      expect((await store.changesSince(4))?.changes).toEqual([]);
    });

    it('does not know a version that it never had', async () => {
      const store = await start();
      await store.commit([put('a')], 0);
      expect(await store.changesSince(2)).toBeNull();
    });

    it('trims the oldest versions from a log that is too long', async () => {
      const store = await start({ changeLogLimit: 3 });
      for (let version = 0; version < 6; version++) await store.commit([put(`r${version}`)], version);
      expect(await store.changesSince(2)).toBeNull();
      expect((await store.changesSince(3))?.changes.map(({ key }) => key.name)).toEqual(['r3', 'r4', 'r5']);
      expect(await names(store)).toHaveLength(6);
    });

    it('trims a version as a whole', async () => {
      const store = await start({ changeLogLimit: 2 });
      await store.commit([put('a'), put('b'), put('c')], 0);
      expect(await store.changesSince(0)).toBeNull();
      expect((await store.changesSince(1))?.changes).toEqual([]);
    });

    it('is unavailable once closed', async () => {
      const store = await start();
      await store.close();
      await store.close();
      await expect(store.version()).rejects.toMatchObject({ code: 'unavailable' });
    });
  });
}
