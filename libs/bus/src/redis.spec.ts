import { silentLogger } from '@flotilla/observe';
import { openRedis, type RedisConnection, redisSettings } from '@flotilla/redis';
import { FakeClock } from '@flotilla/runtime';
import { type RedisServer, startRedisServer, withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Membership } from './membership.ts';
import { membershipSuite } from './membership.suite.ts';
import { createRedisBus } from './redis.ts';
import { createRedisMembership, DEFAULT_TIME_TO_LIVE_MS } from './redis-membership.ts';
import type { VersionBus } from './version-bus.ts';
import { versionBusSuite } from './version-bus.suite.ts';

withPeer('redis-server', (program) => {
  let server: RedisServer;
  const connections: RedisConnection[] = [];
  let meshes = 0;
  const prefixes = new Map<VersionBus | Membership, string>();

  beforeAll(async () => {
    server = await startRedisServer({ program });
  });
  afterAll(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    await server.close();
  });

  const connect = async (keyPrefix: string): Promise<RedisConnection> => {
    const connection = openRedis({
      settings: redisSettings({ url: server.url, keyPrefix }),
      logger: silentLogger,
      random: () => 0.1,
    });
    connections.push(connection);
    await connection.waitUntilReady();
    return connection;
  };
  const openBus = async (keyPrefix: string): Promise<VersionBus> => {
    const bus = createRedisBus({ connection: await connect(keyPrefix), logger: silentLogger });
    prefixes.set(bus, keyPrefix);
    return bus;
  };

  versionBusSuite({
    make: () => openBus(`mesh-${meshes++}`),
    twin: (bus) => openBus(prefixes.get(bus) ?? ''),
    async interrupt(_bus, during) {
      await server.kill();
      await during();
      await server.restart();
      await Promise.all(connections.map((connection) => connection.waitUntilReady().catch(() => undefined)));
    },
  });

  describe('the Redis bus', () => {
    it('looks when its own connection alone is cut', async () => {
      const bus = await openBus('cut');
      const gap = Promise.withResolvers<void>();
      await bus.subscribe(
        () => undefined,
        () => gap.resolve(),
      );
      await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await gap.promise;
      await bus.close();
    });

    it('can be subscribed to while Redis is away, and looks when it is there', async () => {
      const connection = await connect('away');
      const away = new Promise<void>((resolve) => connection.subscribe((isConnected) => !isConnected && resolve()));
      await server.kill();
      await away;
      const bus = createRedisBus({ connection, logger: silentLogger });
      const gap = Promise.withResolvers<void>();
      await bus.subscribe(
        () => undefined,
        () => gap.resolve(),
      );
      await expect(bus.publish({ epoch: 'e', version: 1, keys: [] })).rejects.toMatchObject({ code: 'unavailable' });
      await server.restart();
      await gap.promise;
      await bus.close();
    });

    it('ignores what is no announcement, and hears what follows', async () => {
      const bus = await openBus('noise');
      const heard = Promise.withResolvers<number>();
      await bus.subscribe(({ version }) => heard.resolve(version));
      const channel = '{noise}:versions';
      for (const noise of ['', 'x', '{}', '{"epoch":"e","version":-1,"keys":[]}']) {
        await server.command('PUBLISH', channel, noise);
      }
      await bus.publish({ epoch: 'e', version: 7, keys: [] });
      expect(await heard.promise).toBe(7);
      await bus.close();
    });
  });

  const clocks = new Map<Membership, FakeClock>();
  const openMembership = async (keyPrefix: string, clock: FakeClock): Promise<Membership> => {
    const membership = createRedisMembership({ connection: await connect(keyPrefix), logger: silentLogger, clock });
    prefixes.set(membership, keyPrefix);
    clocks.set(membership, clock);
    // Long enough connected to tell who is not there.
    clock.advance(DEFAULT_TIME_TO_LIVE_MS);
    return membership;
  };

  membershipSuite(
    () => openMembership(`room-${meshes++}`, new FakeClock()),
    (membership) => openMembership(prefixes.get(membership) ?? '', clocks.get(membership) ?? new FakeClock()),
  );

  describe('the Redis membership', () => {
    it('refreshes itself, and ends with its time to live', async () => {
      const clock = new FakeClock();
      const membership = await openMembership('refresh', clock);
      await membership.join('pilot-1');
      const key = '{refresh}:member:pilot-1';
      await server.command('PEXPIRE', key, '5');
      while (await membership.isPresent('pilot-1'));
      clock.advance(DEFAULT_TIME_TO_LIVE_MS / 3);
      while (!(await membership.isPresent('pilot-1')));
      expect(Number(/:(\d+)/.exec(await server.command('PTTL', key))?.[1])).toBeGreaterThan(20_000);
      await membership.close();
    });

    it('takes nobody for gone because Redis was away, and joins again by itself', async () => {
      const clock = new FakeClock();
      const connection = await connect('outage');
      const membership = createRedisMembership({ connection, logger: silentLogger, clock });
      clock.advance(DEFAULT_TIME_TO_LIVE_MS);
      await membership.join('pilot-1');
      expect(await membership.isPresent('pilot-2')).toBe(false);
      const away = new Promise<void>((resolve) => connection.subscribe((isConnected) => !isConnected && resolve()));
      await server.kill();
      await away;
      await expect(membership.isPresent('pilot-2')).rejects.toMatchObject({ code: 'unavailable' });
      // Without its data: nothing is kept in this server.
      await server.restart();
      await connection.waitUntilReady();
      await expect(membership.isPresent('pilot-2')).rejects.toMatchObject({ code: 'unavailable' });
      while (!(await membership.isPresent('pilot-1').catch(() => false)));
      clock.advance(DEFAULT_TIME_TO_LIVE_MS);
      expect(await membership.isPresent('pilot-2')).toBe(false);
      await membership.close();
    });
  });
});
