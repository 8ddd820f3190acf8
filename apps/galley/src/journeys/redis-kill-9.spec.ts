import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError } from '@connectrpc/connect';
import { type Random, seededRandom } from '@flotilla/runtime';
import { type RedisServer, startRedisServer, withPeer } from '@flotilla/testing';
import type { ResourceKey } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { afterEach, expect, it, vi } from 'vitest';
import { bundleGalley, GalleyProcess } from './redis-galley.ts';

const KILLS = 200;
const GALLEYS = 4;
const WRITERS = 4;
// How long all kills together wait for writes in between; a machine too busy for it gets fewer of them through.
const PATIENCE_MS = 90_000;
const LEAST_PATIENCE_MS = 50;
const TIMEOUT_MS = 300_000;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Mesh {
  readonly redis: RedisServer;
  readonly galleys: readonly GalleyProcess[];
  readonly random: Random;
  /** Name and version of every write that was acknowledged. */
  readonly acknowledged: Map<string, number>;
  isOver: boolean;
}

const account = (name: string, count: number): string =>
  `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}, labels: {count: "${count}"}}`;
const keyOf = (name: string): Omit<ResourceKey, '$typeName'> => ({
  group: '',
  kind: 'ServiceAccount',
  namespace: 'default',
  name,
});

const pause = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

function pick<T>(from: readonly T[], random: Random): T | undefined {
  return from[Math.floor(random() * from.length)];
}

/**
 * Writes until the mesh is over: each write adds a resource of a new name and counts the counter up by one, on the
 * version that was read. Whatever fails is not tried again under its name.
 */
async function writeOn(mesh: Mesh, writer: number): Promise<void> {
  for (let index = 0; !mesh.isOver; index++) {
    const client = pick(mesh.galleys, mesh.random)?.client;
    const name = `w${writer}-${index}`;
    try {
      if (client === null || client === undefined) throw new ConnectError('it starts', Code.Unavailable);
      const { resource, version: read } = await client.get({ key: keyOf('counter') }, { timeoutMs: 20_000 });
      const counted = Number(resource?.labels['count']) + 1;
      const { version } = await client.apply(
        {
          documents: [{ source: name, yaml: `${account(name, counted)}\n---\n${account('counter', counted)}` }],
          expectedVersion: read,
        },
        { timeoutMs: 20_000 },
      );
      mesh.acknowledged.set(name, Number(version));
    } catch (error) {
      const { code } = ConnectError.from(error);
      expect([Code.Unavailable, Code.Aborted, Code.Canceled, Code.DeadlineExceeded]).toContain(code);
      await pause(5);
    }
  }
}

/** Kills one after another, each at a moment of chance, and starts each again; those overlap. */
async function killOn({
  redis,
  galleys,
  random,
  acknowledged,
}: Mesh): Promise<Readonly<Record<'galley' | 'redis', number>>> {
  const kills = { galley: 0, redis: 0 };
  let redisIsUp = Promise.resolve();
  let patienceMs = PATIENCE_MS;
  const restarts: Promise<void>[] = [];
  while (kills.galley + kills.redis < KILLS) {
    // Some writes get through, as a rule, then the next one is met somewhere on its way.
    const target = acknowledged.size + Math.floor(random() * 4);
    const sinceMs = performance.now();
    while (acknowledged.size < target && performance.now() < sinceMs + patienceMs) await pause(2);
    patienceMs = Math.max(LEAST_PATIENCE_MS, patienceMs - (performance.now() - sinceMs));
    await pause(random() * 10);
    const serving = galleys.filter(({ client }) => client !== null);
    const victim = pick(serving, random);
    if (victim !== undefined && serving.length > 1 && random() < 0.5) {
      kills.galley += 1;
      restarts.push(victim.kill().then(() => victim.start()));
    } else {
      await redisIsUp;
      kills.redis += 1;
      await redis.kill();
      redisIsUp = redis.restart();
    }
  }
  await Promise.all([redisIsUp, ...restarts]);
  return kills;
}

withPeer('redis-server', (program) => {
  it(
    `loses and repeats no acknowledged write through ${KILLS} random kill -9 of galley and Redis`,
    async () => {
      const seed = Number(process.env['FLOTILLA_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
      console.log(`seed ${seed} (FLOTILLA_SEED repeats it)`);
      const directory = mkdtempSync(join(tmpdir(), 'galley-redis-'));
      cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
      const redis = await startRedisServer({ program, durable: true });
      cleanups.push(() => redis.close());
      const bundle = await bundleGalley(directory);
      const galleys = Array.from({ length: GALLEYS }, () => new GalleyProcess(bundle, redis.url));
      cleanups.push(() => Promise.all(galleys.map((galley) => galley.kill())));
      await Promise.all(galleys.map((galley) => galley.start()));
      const mesh: Mesh = { redis, galleys, random: seededRandom(seed), acknowledged: new Map(), isOver: false };

      // Version 1; from here on the counter equals the version.
      await galleys[0]?.client?.apply({ documents: [{ source: 'first', yaml: account('counter', 1) }] });
      const writing = Promise.all(Array.from({ length: WRITERS }, (_, writer) => writeOn(mesh, writer)));
      const kills = await killOn(mesh);
      mesh.isOver = true;
      await writing;
      const { acknowledged } = mesh;

      const client = galleys.find((galley) => galley.client !== null)?.client;
      // Until it has Redis again a galley answers with all that it remembers.
      const { version, changes } = await vi.waitFor(
        async () => {
          const answer = await (client ?? expect.unreachable('no galley serves')).listChanges({ sinceVersion: 1n });
          expect(answer.snapshot).toBe(false);
          return answer;
        },
        { timeout: 20_000, interval: 20 },
      );
      const last = Number(version);
      const madeIn = new Map(changes.map((change) => [change.key?.name ?? '', Number(change.version)]));
      const counter = changes.find(({ key }) => key?.name === 'counter')?.resource?.labels['count'];
      madeIn.delete('counter');
      console.log(
        `${kills.galley} kills of galley, ${kills.redis} of Redis; ${acknowledged.size} writes acknowledged of ${last - 1}`,
      );

      // Every acknowledged write is there, in the version that its writer was told.
      expect([...acknowledged].filter(([name, at]) => madeIn.get(name) !== at)).toEqual([]);
      // Every version after the first is one write: a write that was applied twice would leave a version without one.
      expect([...madeIn.values()]).toEqual(Array.from({ length: last - 1 }, (_, index) => index + 2));
      // And each of them counted once.
      expect(counter).toBe(String(last));
      expect(kills.galley).toBeGreaterThan(KILLS / 10);
      expect(kills.redis).toBeGreaterThan(KILLS / 5);
      expect(acknowledged.size).toBeGreaterThan(KILLS / 10);
    },
    TIMEOUT_MS,
  );
});
