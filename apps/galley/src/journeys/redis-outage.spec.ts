import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@connectrpc/connect';
import { createRedisBus } from '@flotilla/bus';
import { silentLogger } from '@flotilla/observe';
import { openRedis, type RedisConnection, redisSettings, type RedisSettings } from '@flotilla/redis';
import { fromConnectError } from '@flotilla/rpc';
import { systemClock } from '@flotilla/runtime';
import { openInventory } from '@flotilla/runtime/disk';
import { type RedisServer, type RedisServerOptions, startRedisServer, withPeer } from '@flotilla/testing';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { afterEach, describe, expect, it } from 'vitest';
import { type Galley, startGalley } from '../start.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface World {
  readonly connection: RedisConnection;
  readonly galley: Galley;
  readonly client: Client<typeof GalleyService>;
}

const account = (name: string): string => `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}}`;
const docs = (name: string) => ({ documents: [{ source: 'test', yaml: account(name) }] });

async function start(
  server: RedisServer,
  { settings = {}, directories = [] }: { settings?: Partial<RedisSettings>; directories?: readonly string[] } = {},
): Promise<World> {
  const logger = silentLogger;
  const connection = openRedis({ settings: redisSettings({ url: server.url, ...settings }), logger });
  const bus = createRedisBus({ connection, logger });
  const galley = await startGalley({
    store: { kind: 'redis', connection, inventory: openInventory({ places: [], beginAnew: ['store:first'] }) },
    bus,
    directories,
    access: { read: () => undefined, write: () => 'anything' },
    logger,
    clock: systemClock,
  });
  cleanups.push(
    () => connection.close(),
    () => bus.close(),
    () => galley.close(),
  );
  return { connection, galley, client: createClient(GalleyService, galley.transport) };
}

const namesIn = async (client: Client<typeof GalleyService>): Promise<readonly string[]> =>
  (await client.list({})).resources.map(({ key }) => key?.name ?? '');

const failure = (call: Promise<unknown>) =>
  call.then(
    () => expect.unreachable('the call was accepted'),
    (error: unknown) => fromConnectError(error),
  );

withPeer('redis-server', (program) => {
  const serve = async (options: Partial<RedisServerOptions> = {}): Promise<RedisServer> => {
    const server = await startRedisServer({ program, durable: true, ...options });
    cleanups.push(() => server.close());
    return server;
  };
  const stop = async (server: RedisServer, { connection }: World): Promise<void> => {
    const away = new Promise<void>((resolve) => connection.subscribe((isConnected) => !isConnected && resolve()));
    await server.kill();
    await away;
  };

  describe('galley on Redis', () => {
    it('waits for Redis, and is ready when it is there', async () => {
      const server = await serve();
      await server.kill();
      const starting = start(server);
      await server.restart();
      const { client } = await starting;
      expect((await client.apply(docs('a'))).version).toBe(1n);
    });

    it('goes on reading while Redis is away, refuses writes and says so, and recovers by itself', async () => {
      const server = await serve();
      const world = await start(server);
      const { client, connection } = world;
      await client.apply(docs('a'));
      const { epoch } = await client.listChanges({});
      await stop(server, world);
      expect(await namesIn(client)).toEqual(['a']);
      await client.validate(docs('b'));
      // A pilot that starts now gets what is known, and one that is ahead of it waits.
      expect(await client.listChanges({})).toMatchObject({ version: 1n, snapshot: true, epoch });
      expect(await client.listChanges({ sinceVersion: 1n, sinceEpoch: epoch })).toMatchObject({ changes: [] });
      expect((await failure(client.listChanges({ sinceVersion: 2n, sinceEpoch: epoch }))).code).toBe('unavailable');
      const refused = await failure(client.apply(docs('b')));
      expect(refused).toMatchObject({ code: 'unavailable', message: expect.stringContaining('Redis at') });
      expect(refused.hint).toMatch(/Check that it runs/);
      await server.restart();
      await connection.waitUntilReady();
      expect((await client.apply(docs('b'))).version).toBe(2n);
    });

    it('takes in what changed in a directory while Redis was away', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'galley-outage-'));
      cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
      writeFileSync(join(directory, 'a.yaml'), account('a'));
      const server = await serve();
      const world = await start(server, { directories: [directory] });
      const { client, galley } = world;
      expect(await namesIn(client)).toEqual(['a']);
      const stream = client.watch({ sinceVersion: 1n })[Symbol.asyncIterator]();
      await stream.next();
      await stop(server, world);
      writeFileSync(join(directory, 'b.yaml'), account('b'));
      await galley.rescan();
      expect(galley.findings().map(({ message }) => message)).toEqual([
        expect.stringMatching(/^the directory cannot be taken in: Redis at/),
      ]);
      await server.restart();
      const { value } = await stream.next();
      expect(value?.changes.map((change: { key?: { name: string } }) => change.key?.name)).toEqual(['b']);
      await stream.return?.();
      await galley.rescan();
      expect(galley.findings()).toEqual([]);
    });

    it('gives Redis back what it has when Redis comes back empty, under a new epoch', async () => {
      const server = await serve({ durable: false });
      const world = await start(server);
      const { client, connection } = world;
      await client.apply(docs('a'));
      await client.apply(docs('b'));
      const before = await client.listChanges({});
      await stop(server, world);
      await server.restart();
      await connection.waitUntilReady();
      expect((await client.apply(docs('c'))).version).toBe(2n);
      const after = await client.listChanges({ sinceVersion: before.version, sinceEpoch: before.epoch });
      expect(after).toMatchObject({ snapshot: true, version: 2n });
      expect(after.epoch).not.toBe(before.epoch);
      expect(await namesIn(client)).toEqual(['a', 'b', 'c']);
    });

    it('shares its store with others, who see each other by the bus', async () => {
      const server = await serve();
      const [a, b] = [await start(server), await start(server)];
      const stream = b.client.watch({})[Symbol.asyncIterator]();
      await stream.next();
      await a.client.apply(docs('a'));
      const { value } = await stream.next();
      expect(value?.version).toBe(1n);
      await stream.return?.();
      // At once, without having heard: what another wrote counts for what is unchanged.
      await a.client.apply(docs('b'));
      expect((await b.client.apply(docs('b'))).version).toBe(2n);
    });

    // The line of the README of libs/redis.
    const RIGHTS =
      'resetkeys ~{flotilla}:* resetchannels &{flotilla}:* -@all +ping +info +select +eval +evalsha +publish +subscribe ' +
      '+type +exists +get +set +del +hget +hset +hmget +hdel +hlen +hscan +hgetall +zadd +zcard +zrange +zrangebyscore +zremrangebyscore';

    it('needs no rights but those that are documented, and finds everything again when Redis was restarted', async () => {
      const server = await serve({ acl: ['user default off +@all ~* &*', `user flotilla on >secret ${RIGHTS}`] });
      const settings = { username: 'flotilla', password: 'secret' };
      const { client, connection } = await start(server, { settings });
      await client.apply(docs('a'));
      await client.apply(docs('b'));
      await client.delete({ keys: [{ group: '', kind: 'ServiceAccount', namespace: 'default', name: 'a' }] });
      expect((await client.listChanges({ sinceVersion: 1n })).changes).toHaveLength(2);
      await expect(connection.call('FLUSHALL')).rejects.toThrow(/its ACL does not let this user/);
      const { epoch } = await client.listChanges({});
      await server.restart();
      // One that has nothing of its own to give back.
      const second = await start(server, { settings });
      expect(await namesIn(second.client)).toEqual(['b']);
      expect(await second.client.listChanges({})).toMatchObject({ epoch, version: 3n });
    });

    it('runs on a Cluster', async () => {
      const user = `user flotilla on >secret ${RIGHTS} +cluster|slots +cluster|info`;
      const server = await serve({ cluster: true, acl: ['user default on nopass ~* &* +@all', user] });
      const cluster = [{ host: '127.0.0.1', port: server.port }];
      const world = await start(server, { settings: { cluster, username: 'flotilla', password: 'secret' } });
      await world.client.apply(docs('a'));
      await stop(server, world);
      await server.restart();
      await world.connection.waitUntilReady();
      expect((await world.client.apply(docs('b'))).version).toBe(2n);
    });
  });
});
