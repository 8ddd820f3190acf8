import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@flotilla/observe';
import {
  openRedis,
  type RedisConnection,
  RedisUnavailableError,
  redisSettings,
  type RedisSettings,
} from '@flotilla/redis';
import { openInventory } from '@flotilla/runtime/disk';
import { type RedisServer, startRedisServer, withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigStore } from './config-store.ts';
import { commitAt, configStoreSuite, put } from './config-store.suite.ts';
import { COMMIT_MEMORY } from './redis-scripts.ts';
import { openStore as openKnownStore } from './open-store.ts';
import { openRedisStore } from './redis.ts';

withPeer('redis-server', (program) => {
  let server: RedisServer;
  const connections: RedisConnection[] = [];
  let meshes = 0;
  const prefixes = new Map<ConfigStore, string>();

  beforeAll(async () => {
    server = await startRedisServer({ program });
  });
  afterAll(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    await server.close();
  });

  const connect = async (keyPrefix: string, settings: Partial<RedisSettings> = {}): Promise<RedisConnection> => {
    const connection = openRedis({
      settings: redisSettings({ url: server.url, keyPrefix, ...settings }),
      logger: silentLogger,
      random: () => 0.1,
    });
    connections.push(connection);
    await connection.waitUntilReady();
    return connection;
  };
  const openStore = async (keyPrefix: string, changeLogLimit?: number): Promise<ConfigStore> => {
    const limit = changeLogLimit === undefined ? {} : { changeLogLimit };
    const store = await openRedisStore({ connection: await connect(keyPrefix), ...limit });
    prefixes.set(store, keyPrefix);
    return store;
  };

  configStoreSuite({
    make: ({ changeLogLimit }) => openStore(`store-${meshes++}`, changeLogLimit),
    reopen: (store) => openStore(prefixes.get(store) ?? ''),
  });

  describe('the Redis store', () => {
    it.each<[string, readonly (readonly string[])[], RegExp]>([
      ['a newer layout', [['HSET', 'meta', 'layout', '99']], /has layout 99 .field layout of \{.*\}:meta/],
      ['data without a marker', [['HSET', 'resources', 'a', 'b']], /the key \{.*\}:resources is there, and no marker/],
      ['a hash of somebody else', [['HSET', 'meta', 'theirs', 'x']], /the key \{.*\}:meta is there/],
      [
        'a key of another type',
        [['SET', 'changes', 'x']],
        /the key \{.*\}:changes is a string, and the store's is a zset/,
      ],
    ])('refuses %s, says which key, and changes nothing', async (_, commands, message) => {
      const connection = await connect(`foreign-${meshes++}`);
      for (const [command = '', name = '', ...rest] of commands) {
        await connection.call(command, connection.key(name), ...rest);
      }
      const before = await connection.call('KEYS', connection.key('*').replaceAll(/[{}]/g, '?'));
      await expect(openRedisStore({ connection })).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringMatching(message),
        hint: expect.stringContaining('key prefix'),
      });
      expect(await connection.call('KEYS', connection.key('*').replaceAll(/[{}]/g, '?'))).toEqual(before);
    });

    it('refuses a key that changed its type under way, and writes nothing of the commit', async () => {
      const connection = await connect('retyped');
      const store = await openRedisStore({ connection });
      await commitAt(store, [put('a')], 0);
      await connection.call('DEL', connection.key('changes'));
      await connection.call('SET', connection.key('changes'), 'theirs');
      await expect(commitAt(store, [put('b')], 1)).rejects.toThrow(/changes is a string/);
      expect(await store.revision()).toMatchObject({ version: 1 });
      expect(await connection.call('HLEN', connection.key('resources'))).toBe(1);
    });

    it('begins another epoch after its data was lost, and believes no delta of the old one', async () => {
      const connection = await connect('lost');
      const store = await openRedisStore({ connection });
      const old = await commitAt(store, [put('a')], 0);
      await server.command('DEL', '{lost}:meta', '{lost}:resources', '{lost}:changes', '{lost}:commits');
      expect(await store.changesSince(old)).toBeNull();
      const now = await commitAt(store, [put('b')], 0);
      expect(now.version).toBe(old.version);
      expect(now.epoch).not.toBe(old.epoch);
      expect(await store.changesSince(old)).toBeNull();
      expect((await store.snapshot()).resources.map(({ resource }) => resource.key.name)).toEqual(['b']);
    });

    describe('that is known', () => {
      const directory = mkdtempSync(join(tmpdir(), 'galley-inventory-'));
      afterAll(() => rmSync(directory, { recursive: true, force: true }));
      const place = (): string => join(directory, String(meshes++));
      const openKnown = async (prefix: string, at: string, beginAnew: readonly string[] = []): Promise<ConfigStore> => {
        const inventory = openInventory({ places: [at], beginAnew });
        const options = { kind: 'redis', connection: await connect(prefix), inventory } as const;
        return openKnownStore(options, { logger: silentLogger });
      };
      const flush = (prefix: string): Promise<unknown> =>
        server.command('DEL', ...['meta', 'resources', 'changes', 'commits'].map((name) => `{${prefix}}:${name}`));

      it('is not begun anew by a galley that starts, unless that is meant', async () => {
        const at = place();
        const { epoch } = await commitAt(await openKnown('anew', at), [put('a')], 0);
        await flush('anew');
        await expect(openKnown('anew', at)).rejects.toMatchObject({
          message: expect.stringMatching(/^Redis, under {anew}:\*, had the store .*, and there is none now/),
          hint: expect.stringContaining(`--begin-anew store:${epoch.slice(0, 12)}`),
        });
        expect(await server.command('EXISTS', '{anew}:meta')).toBe(':0\r\n');
        await commitAt(await openKnown('anew', at, [`store:${epoch}`]), [put('b')], 0);
      });

      it('is given back by a galley that runs, which the others know it by', async () => {
        const [running, other] = [place(), place()];
        const store = await openKnown('back', running);
        await commitAt(store, [put('a')], 0);
        await (await openKnown('back', other)).close();
        await flush('back');
        // Made again, and not given anything back yet: for a galley that starts, all is lost.
        expect((await store.revision()).version).toBe(0);
        await expect(openKnown('back', other)).rejects.toThrow(/what is there now is another one/);
        await commitAt(store, [put('a')], 0);
        await openKnown('back', other);
      });

      it('is not exchanged for that of another mesh while it is used', async () => {
        const store = await openKnown('mine', place());
        await commitAt(store, [put('a')], 0);
        await commitAt(await openStore('theirs'), [put('b')], 0);
        await flush('mine');
        for (const name of ['meta', 'resources', 'changes', 'commits']) {
          await server.command('RENAME', `{theirs}:${name}`, `{mine}:${name}`);
        }
        await expect(store.revision()).rejects.toThrow(/what is there now is another one/);
        await expect(commitAt(store, [put('c')], 1)).rejects.toThrow(/another one/);
      });
    });

    /** A connection that loses the answer to the first commit, after or before Redis has carried it out. */
    const losing = (
      inner: RedisConnection,
      when: 'after' | 'before',
      meanwhile?: () => Promise<unknown>,
    ): RedisConnection => {
      let isLost = false;
      return Object.create(inner, {
        call: { value: inner.call.bind(inner) },
        key: { value: inner.key.bind(inner) },
        waitUntilReady: { value: inner.waitUntilReady.bind(inner) },
        run: {
          value: async (...args: Parameters<RedisConnection['run']>) => {
            if (isLost || !args[0].lua.includes('HDEL')) return inner.run(...args);
            isLost = true;
            if (when === 'after') await inner.run(...args);
            await meanwhile?.();
            throw new RedisUnavailableError('the connection was closed', { mayBeDone: true });
          },
        },
      }) as RedisConnection; // Its own methods are replaced one by one.
    };

    it.each(['after', 'before'] as const)(
      'applies a commit once whose answer was lost %s it was made',
      async (when) => {
        const connection = losing(await connect(`once-${when}`), when);
        const store = await openRedisStore({ connection });
        const written = await commitAt(store, [put('a', 1, 5)], 0);
        expect(written).toMatchObject({ version: 1, resources: [{ resource: { createdAtMs: 5 } }] });
        expect(await store.revision()).toMatchObject({ version: 1 });
      },
    );

    it('answers a commit that is sent again with what it did, also when others wrote since', async () => {
      const plain = await openStore('since');
      await commitAt(plain, [put('a', 1, 5)], 0);
      const connection = losing(await connect('since'), 'after', () => commitAt(plain, [put('a', 3, 7)], 2));
      const store = await openRedisStore({ connection });
      const written = await commitAt(store, [put('b'), put('a', 2, 6)], 1);
      expect(written.version).toBe(2);
      expect(written.resources.map(({ resource }) => resource.createdAtMs)).toEqual([1000, 5]);
      expect(await store.revision()).toMatchObject({ version: 3 });
    });

    it('refuses a commit that is sent again when another one made that version', async () => {
      const plain = await openStore('other');
      const connection = losing(await connect('other'), 'before', () => commitAt(plain, [put('x')], 0));
      const store = await openRedisStore({ connection });
      await expect(commitAt(store, [put('a')], 0)).rejects.toMatchObject({ code: 'conflict' });
    });

    it('says that the outcome is not known when too much happened since', async () => {
      const plain = await openStore('forgotten');
      const connection = losing(await connect('forgotten'), 'after', async () => {
        for (let version = 1; version <= COMMIT_MEMORY; version++) await commitAt(plain, [put('x', version)], version);
      });
      const store = await openRedisStore({ connection });
      await expect(commitAt(store, [put('a')], 0)).rejects.toThrow(/not known whether the change was made/);
    });

    it('says so as well when Redis does not come back, and fails at once while it is away', async () => {
      const connection = await connect('away');
      const store = await openRedisStore({ connection, resendForMs: 1 });
      const revision = await store.revision();
      server.freeze();
      const outcome = store.commit([put('a')], revision).catch((error: unknown) => error);
      await new Promise(setImmediate);
      await server.kill();
      expect(await outcome).toMatchObject({ code: 'unavailable', message: expect.stringMatching(/^it is not known/) });
      await expect(store.commit([put('a')], revision)).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.not.stringContaining('not known'),
      });
      await server.restart();
      await connection.waitUntilReady();
      // The server kept nothing.
      expect((await store.revision()).epoch).not.toBe(revision.epoch);
    });
  });
});
