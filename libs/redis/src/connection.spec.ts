import { findPeer, type RedisServer, type RedisServerOptions, startRedisServer, withPeer } from '@flotilla/testing';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import { createLogger } from '@flotilla/observe';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { openRedis, type RedisConnection } from './connection.ts';
import { RedisUnavailableError } from './failures.ts';
import { defineScript } from './script.ts';
import { redisSettings, type RedisSettings, type RedisTls } from './settings.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface World {
  readonly server: RedisServer;
  readonly connection: RedisConnection;
  /** The messages of the log so far. */
  log(): readonly string[];
}

async function connectTo(server: RedisServer, settings: Partial<RedisSettings> = {}): Promise<World> {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const logger = await createLogger({ name: 'test', format: 'json', level: 'info', destination });
  const connection = openRedis({
    settings: redisSettings({ url: server.url, ...settings }),
    logger,
    random: () => 0.1,
  });
  cleanups.push(() => connection.close());
  return { server, connection, log: () => lines };
}

async function serve(options: Partial<RedisServerOptions> = {}): Promise<RedisServer> {
  const server = await startRedisServer({ program: findPeer('redis-server') ?? '', ...options });
  cleanups.push(() => server.close());
  return server;
}

const start = async (
  options: Partial<RedisServerOptions> = {},
  settings: Partial<RedisSettings> = {},
): Promise<World> => connectTo(await serve(options), settings);

/** Until it says why it is not connected. */
async function untilTold(connection: RedisConnection): Promise<void> {
  while (connection.waitingFor?.endsWith('not connected yet') !== false) await new Promise(setImmediate);
}

const states = (connection: RedisConnection, wanted: boolean): Promise<void> =>
  new Promise((resolve) => {
    const end = connection.subscribe((isConnected) => {
      if (isConnected !== wanted) return;
      queueMicrotask(() => end());
      resolve();
    });
  });

withPeer('redis-server', () => {
  describe('a connection', () => {
    it('carries commands and scripts, under the prefix of the mesh', async () => {
      const { connection } = await start();
      await connection.waitUntilReady();
      const key = connection.key('a');
      expect(key).toBe('{flotilla}:a');
      expect(await connection.call('SET', key, 'x')).toBe('OK');
      const script = defineScript(`return redis.call('GET', KEYS[1]) .. ARGV[1]`);
      expect(await connection.run(script, [key], ['y'])).toBe('xy');
      // A server that lost its scripts.
      await connection.call('SCRIPT', 'FLUSH');
      expect(await connection.run(script, [key], ['z'])).toBe('xz');
    });

    it('fails at once while Redis is away, says so once, and is back by itself', async () => {
      const { server, connection, log } = await start();
      await connection.waitUntilReady();
      const lost = states(connection, false);
      await server.kill();
      await lost;
      await expect(connection.call('PING')).rejects.toMatchObject({ code: 'unavailable', mayBeDone: false });
      expect(connection.isConnected).toBe(false);
      expect(connection.waitingFor).toContain(`Redis at 127.0.0.1:${server.port}`);
      const back = states(connection, true);
      await server.restart();
      await back;
      expect(await connection.call('PING')).toBe('PONG');
      expect(connection.waitingFor).toBeNull();
      const messages = log().map((line) => String(JSON.parse(line).msg));
      expect(messages.filter((text) => text.startsWith('connected to'))).toHaveLength(2);
      expect(new Set(messages.filter((text) => text.startsWith('waiting for'))).size).toBe(
        messages.filter((text) => text.startsWith('waiting for')).length,
      );
    });

    it('says of a command without an answer that it may have been carried out', async () => {
      const { server, connection } = await start();
      await connection.waitUntilReady();
      server.freeze();
      const outcome = connection.call('PING').catch((error: unknown) => error);
      await new Promise(setImmediate);
      await server.kill();
      expect(await outcome).toBeInstanceOf(RedisUnavailableError);
      expect(await outcome).toMatchObject({ mayBeDone: true });
    });

    it('waits for a server that is not there, until it is not wanted any more', async () => {
      const { server, connection } = await start();
      await server.kill();
      const abort = new AbortController();
      const waiting = connection.waitUntilReady(abort.signal);
      const down = states(connection, false);
      await down;
      abort.abort();
      await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    });

    it('is unavailable once closed, and closes twice without complaint', async () => {
      const { connection } = await start();
      const waiting = connection.waitUntilReady().catch(() => undefined);
      await connection.close();
      await connection.close();
      await waiting;
      await expect(connection.call('PING')).rejects.toMatchObject({ code: 'unavailable' });
      await expect(connection.waitUntilReady()).rejects.toMatchObject({ code: 'unavailable' });
    });

    it('hears a channel again after the connection broke', async () => {
      const { server, connection } = await start();
      await connection.waitUntilReady();
      const heard: string[] = [];
      const opened = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
      const got = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
      let count = 0;
      const channel = connection.openChannel('c', {
        message(bytes) {
          heard.push(bytes.toString());
          got[heard.length - 1]?.resolve();
        },
        open: () => opened[count++]?.resolve(),
      });
      cleanups.push(() => channel.close());
      await opened[0].promise;
      await connection.call('PUBLISH', connection.key('c'), 'one');
      await got[0].promise;
      await server.kill();
      await server.restart();
      await opened[1].promise;
      await server.command('PUBLISH', connection.key('c'), 'two');
      await got[1].promise;
      expect(heard).toEqual(['one', 'two']);
    });

    it.each<[string, Partial<RedisServerOptions>, Partial<RedisSettings>, RegExp]>([
      [
        'a wrong password',
        { password: 'right' },
        { password: 'wr0ng-secret' },
        /refused the user name or the password/,
      ],
      ['no password where one is needed', { password: 'right' }, {}, /asks for a password/],
      [
        'a password for an unknown user',
        { password: 'right' },
        { username: 'x', password: 'wr0ng-secret' },
        /refused the user/,
      ],
      ['a user without rights', { acl: ['user default on nopass ~* +info'] }, {}, /its ACL does not let this user/],
      ['a database that is not there', {}, { url: '/99' }, /has no such database/],
    ])('keeps trying and tells the operator what to do for %s', async (_, options, settings, message) => {
      const server = await serve(options);
      const { connection, log } = await connectTo(server, { ...settings, url: `${server.url}${settings.url ?? ''}` });
      await untilTold(connection);
      expect(connection.waitingFor).toMatch(message);
      await expect(connection.call('PING')).rejects.toMatchObject({
        code: 'unavailable',
        hint: expect.stringMatching(/\.$/),
      });
      expect(log().join('')).not.toContain('wr0ng-secret');
    });
  });

  describe('TLS', () => {
    const certificates = async (dnsNames: readonly string[]) => {
      const authority = await createTestAuthority();
      const id = { trustDomain: 'cluster.local', namespace: 'istio-system', serviceAccount: 'redis' };
      const { chainPem, privateKeyPem } = await authority.issue(id, { dnsNames });
      return { ca: authority.rootPem, certificate: chainPem, key: privateKeyPem };
    };

    it('trusts the CA that is named, and shows its own certificate', async () => {
      const tls = await certificates(['localhost']);
      const { connection } = await start({ tls: { ...tls, clients: true } }, { tls });
      await connection.waitUntilReady();
      expect(await connection.call('PING')).toBe('PONG');
    });

    it.each<[string, readonly string[], (own: RedisTls, other: RedisTls) => RedisTls, RegExp]>([
      [
        'a server of another CA',
        ['localhost'],
        (_, other) => ({ ...other, certificate: null, key: null }),
        /is not trusted/,
      ],
      ['a server with another name', ['elsewhere'], (own) => own, /is not trusted/],
      [
        'a server that asks for a certificate',
        ['localhost'],
        (own) => ({ ...own, certificate: null, key: null }),
        /refused the TLS/,
      ],
    ])('says what to do for %s', async (_, names, choose, message) => {
      const own = await certificates(names);
      const server = await serve({ tls: { ...own, clients: true } });
      const { connection } = await connectTo(server, { tls: choose(own, await certificates(names)) });
      await untilTold(connection);
      expect(connection.waitingFor).toMatch(message);
    });
  });

  it('serves a Cluster as it serves one server', async () => {
    const server = await serve({ cluster: true });
    const { connection } = await connectTo(server, { cluster: [{ host: '127.0.0.1', port: server.port }] });
    await connection.waitUntilReady();
    const script = defineScript(`redis.call('SET', KEYS[1], ARGV[1]); return redis.call('GET', KEYS[2])`);
    const keys = [connection.key('a'), connection.key('b')];
    expect(await connection.run(script, keys, ['x'])).toBeNull();
    const heard = Promise.withResolvers<string>();
    const opened = Promise.withResolvers<void>();
    const channel = connection.openChannel('c', {
      message: (bytes) => heard.resolve(bytes.toString()),
      open: () => opened.resolve(),
    });
    cleanups.push(() => channel.close());
    await opened.promise;
    await connection.call('PUBLISH', connection.key('c'), 'hello');
    expect(await heard.promise).toBe('hello');
    const lost = states(connection, false);
    await server.kill();
    await lost;
    const back = states(connection, true);
    await server.restart();
    await back;
    await expect(connection.call('PING')).resolves.toBe('PONG');
  });

  it('follows the Sentinel to the new master when the old one dies', async () => {
    const master = await serve();
    const replica = await serve({ replicaOf: master });
    while (!(await master.command('INFO', 'replication')).includes('state=online'));
    const sentinel = await serve({ sentinelOf: { name: 'mesh', port: master.port } });
    while (!(await sentinel.command('SENTINEL', 'REPLICAS', 'mesh')).includes(String(replica.port)));
    const { connection } = await connectTo(master, {
      sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
      sentinelName: 'mesh',
    });
    await connection.waitUntilReady();
    // A busy machine may have failed over before: written where the Sentinel says, and known to the other one.
    const write = async (): Promise<unknown> => {
      await connection.call('SET', connection.key('a'), 'x');
      return connection.call('WAIT', 1, 1_000);
    };
    while ((await write().catch(() => 0)) !== 1) await connection.waitUntilReady();
    const where = await sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mesh');
    const [first, second] = where.includes(String(master.port)) ? [master, replica] : [replica, master];
    const lost = states(connection, false);
    await first.kill();
    await lost;
    await states(connection, true);
    expect(await connection.call('GET', connection.key('a'))).toBe('x');
    expect(await connection.call('SET', connection.key('a'), 'y')).toBe('OK');
    expect(await second.command('GET', connection.key('a'))).toContain('y');
  });
});
