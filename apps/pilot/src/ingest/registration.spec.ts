import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Code, ConnectError } from '@connectrpc/connect';
import { FakeClock, FlotillaError } from '@flotilla/runtime';
import { FakeGalley } from '../testing/fake-galley.ts';
import { proxyNode, type Registrar, type RegistrarOptions, settle, startRegistrar } from '../testing/registrar.ts';

const SETTINGS = { graceMs: 1_000, orphanGraceMs: 15_000 };
const NODE = proxyNode({ workload: 'reviews-v1' });
const IDENTITY = 'spiffe://cluster.local/ns/default/sa/default';
const ENTRY = 'default/reviews-v1-127-0-0-1';
const KEY = { group: 'networking.istio.io', kind: 'WorkloadEntry', namespace: 'default', name: ENTRY.slice(8) };

let galley: FakeGalley;
let clock: FakeClock;
let present: Set<string>;
const started: Registrar[] = [];
beforeEach(() => {
  galley = new FakeGalley();
  clock = new FakeClock();
  present = new Set();
});
afterEach(async () => {
  for (const each of started.splice(0)) await each.kill();
});

async function pilot(id: string, options: Partial<RegistrarOptions> = {}): Promise<Registrar> {
  const registrar = await startRegistrar({ id, galley, clock, present, settings: SETTINGS, ...options });
  started.push(registrar);
  await settle();
  return registrar;
}

/** Time passes in steps in which everything comes to rest, as it does in a real process. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    clock.advance(Math.min(500, ms - passed));
    await settle(10);
  }
}

async function connect(to: Registrar): Promise<void> {
  to.registration.connected(NODE, IDENTITY);
  await settle();
}

describe('a proxy that moves from one pilot to another', () => {
  test('has the other as its controller, and the first removes nothing', async () => {
    const [a, b] = [await pilot('a'), await pilot('b')];
    await connect(a);
    expect(galley.controller(ENTRY)).toBe('a');
    a.registration.disconnected(NODE, IDENTITY);
    await connect(b);
    await pass(60_000);
    expect(galley.controller(ENTRY)).toBe('b');
    b.registration.disconnected(NODE, IDENTITY);
    await pass(500);
    expect(galley.removed).toEqual([]);
    await pass(500);
    expect(galley.removed).toEqual([ENTRY]);
  });

  test('and back at once: each pilot writes although its mesh may still show its own entry', async () => {
    const [a, b] = [await pilot('a'), await pilot('b')];
    await connect(a);
    a.registration.disconnected(NODE, IDENTITY);
    b.registration.connected(NODE, IDENTITY);
    b.registration.disconnected(NODE, IDENTITY);
    a.registration.connected(NODE, IDENTITY);
    await pass(60_000);
    expect(galley.controller(ENTRY)).toBe('a');
    expect(galley.removed).toEqual([]);
  });

  test('and stays there, whatever the first still holds: no pilot takes it back from the other', async () => {
    const [a, b] = [await pilot('a'), await pilot('b')];
    await connect(a);
    await connect(b);
    const { version } = galley;
    await pass(60_000);
    expect([galley.version, galley.controller(ENTRY)]).toEqual([version, 'b']);
    // The half-open connection is noticed.
    a.registration.disconnected(NODE, IDENTITY);
    await pass(60_000);
    expect(galley.version).toBe(version);
  });

  test('and is left with the first when the second goes: the first writes it again', async () => {
    const [a, b] = [await pilot('a'), await pilot('b')];
    await connect(a);
    await connect(b);
    b.registration.disconnected(NODE, IDENTITY);
    await pass(2_000);
    expect(galley.removed).toEqual([ENTRY]);
    expect(galley.controller(ENTRY)).toBe('a');
  });

  test('while its entry was on its way: the late write does not take the entry away in the end', async () => {
    const [a, b] = [await pilot('a'), await pilot('b')];
    const held = Promise.withResolvers<void>();
    galley.onWrite = ([text = '']) => (text.includes('"flotilla.io/controller":"a"') ? held.promise : undefined);
    await connect(a);
    a.registration.disconnected(NODE, IDENTITY);
    await connect(b);
    galley.onWrite = null;
    expect(galley.controller(ENTRY)).toBe('b');
    // Only now a's write gets there, and hides b's.
    held.resolve();
    await pass(60_000);
    expect(galley.removed).toEqual([]);
    expect(galley.controller(ENTRY)).toBe('b');
  });

  test('while galley was away: the entry is not removed before others made up for their writes', async () => {
    const [a, b] = [await pilot('a'), await pilot('b')];
    await connect(a);
    galley.isAway = true;
    a.registration.disconnected(NODE, IDENTITY);
    b.registration.connected(NODE, IDENTITY);
    await pass(10_000);
    galley.isAway = false;
    await pass(60_000);
    expect(galley.removed).toEqual([]);
    expect(galley.controller(ENTRY)).toBe('b');
  });
});

describe('an entry of a connected proxy', () => {
  test('is written once for streams that come together, and not again for a reconnect', async () => {
    const a = await pilot('a');
    for (const workload of ['one', 'two', 'three']) a.registration.connected(proxyNode({ workload }), IDENTITY);
    await settle();
    expect(galley.version).toBe(1);
    a.registration.disconnected(proxyNode({ workload: 'one' }), IDENTITY);
    await pass(500);
    a.registration.connected(proxyNode({ workload: 'one' }), IDENTITY);
    await pass(5_000);
    expect(galley.version).toBe(1);
  });

  test('comes back when somebody removes or changes it', async () => {
    const a = await pilot('a');
    await connect(a);
    galley.remove(KEY);
    await settle();
    expect(galley.controller(ENTRY)).toBe('a');
    const spec = 'spec: {address: 127.0.0.9}';
    const head = `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: ${KEY.name}`;
    for (const metadata of ['}', ', annotations: {flotilla.io/automatic: proxy, flotilla.io/controller: a}}']) {
      const { version } = galley;
      galley.write(`${head}${metadata}\n${spec}`);
      await settle();
      expect(galley.version).toBe(version + 2);
      expect(galley.controller(ENTRY)).toBe('a');
    }
  });

  test('is one for each address: replicas, and equal names on several hosts', async () => {
    const a = await pilot('a');
    const ports = [{ name: 'http', port: 80, bindAddress: '0.0.0.0', bindPort: 8080 }];
    const nodes = ['10.0.0.1', '10.0.0.2', '2001:db8::1:2', '2001:db8:1::2'].map((ip) => ({
      ...proxyNode({ workload: 'gateway', ports }),
      ip,
    }));
    for (const node of nodes) a.registration.connected(node, IDENTITY);
    await settle();
    expect(galley.names('WorkloadEntry')).toHaveLength(4);
    for (const node of nodes.slice(1)) a.registration.disconnected(node, IDENTITY);
    await pass(2_000);
    expect(galley.names('WorkloadEntry')).toEqual(['default/gateway-10-0-0-1-8080']);
  });

  test('is written when galley is back, unless its proxy went meanwhile', async () => {
    const a = await pilot('a');
    galley.isAway = true;
    a.registration.connected(NODE, IDENTITY);
    a.registration.connected(proxyNode({ workload: 'gone' }), IDENTITY);
    await pass(5_000);
    a.registration.disconnected(proxyNode({ workload: 'gone' }), IDENTITY);
    galley.isAway = false;
    await pass(5_000);
    expect(galley.names('WorkloadEntry')).toEqual([ENTRY]);
  });

  test.each([
    ['has a fault', Code.InvalidArgument, false],
    ['is not allowed', Code.PermissionDenied, true],
  ])('that %s keeps no other from being written', async (_, code, isRetried) => {
    const a = await pilot('a');
    galley.onWrite = (texts) => {
      if (texts.some((text) => text.includes('bad'))) throw new ConnectError('no', code);
    };
    for (const workload of ['one', 'bad', 'two', 'three']) a.registration.connected(proxyNode({ workload }), IDENTITY);
    await settle();
    expect(galley.names('WorkloadEntry')).toHaveLength(3);
    galley.onWrite = null;
    await pass(5_000);
    expect(galley.names('WorkloadEntry')).toHaveLength(isRetried ? 4 : 3);
  });

  test('stays when its pilot closes', async () => {
    const a = await pilot('a');
    await connect(a);
    a.registration.close();
    a.registration.disconnected(NODE, IDENTITY);
    await pass(60_000);
    expect(galley.removed).toEqual([]);
  });
});

describe('what a dead pilot left behind', () => {
  test('goes when nobody came back for it, and stays with who did', async () => {
    const [a, b] = [await pilot('a'), await pilot('b')];
    const other = proxyNode({ workload: 'ratings-v1' });
    await connect(a);
    a.registration.connected(other, IDENTITY);
    await settle();
    await a.kill();
    await pass(5_000);
    b.registration.connected(other, IDENTITY);
    await pass(9_000);
    expect(galley.removed).toEqual([]);
    await pass(6_000);
    expect(galley.removed).toEqual([ENTRY]);
    expect(galley.controller('default/ratings-v1-127-0-0-1')).toBe('b');
    await pass(60_000);
    expect(galley.removed).toEqual([ENTRY]);
  });

  test.each([
    ['a successor with another id', 'a2'],
    ['a successor with the same id', 'a'],
  ])('is cleared away by %s, after the grace', async (_, id) => {
    const a = await pilot('a');
    await connect(a);
    a.registration.connected(proxyNode({ workload: 'back' }), IDENTITY);
    await settle();
    await a.kill();
    const successor = await pilot(id);
    successor.registration.connected(proxyNode({ workload: 'back' }), IDENTITY);
    await pass(14_000);
    expect(galley.removed).toEqual([]);
    await pass(6_000);
    expect(galley.removed).toEqual([ENTRY]);
  });

  test('is taken over at once by a pilot that holds a stream of the proxy too', async () => {
    const [a, b, c] = [await pilot('a'), await pilot('b'), await pilot('c')];
    await connect(b);
    await connect(a);
    await a.kill();
    await pass(60_000);
    expect(galley.controller(ENTRY)).toBe('b');
    expect(galley.removed).toEqual([]);
    expect(c.mesh().workloadEntries).toHaveLength(1);
  });

  test('stays while its pilot only seems dead, or that cannot be told', async () => {
    const a = await pilot('a');
    await connect(a);
    let answer: () => Promise<boolean> = () => Promise.reject(new FlotillaError('unavailable', 'no store'));
    const membership = { join: async () => undefined, isPresent: () => answer(), close: async () => undefined };
    await pilot('b', { membership });
    await pilot('c', { present: null });
    await pass(60_000);
    // Dead for less than the grace, twice, with doubt in between.
    answer = async () => false;
    await pass(10_000);
    answer = () => Promise.reject(new FlotillaError('unavailable', 'no store'));
    await pass(10_000);
    answer = async () => false;
    await pass(10_000);
    expect(galley.removed).toEqual([]);
    await pass(10_000);
    expect(galley.removed).toEqual([ENTRY]);
    // It lives, and its proxy is connected.
    expect(galley.controller(ENTRY)).toBe('a');
  });

  test('without a controller, as earlier versions wrote it, goes; what somebody made by hand stays', async () => {
    const entry = (name: string, annotations: string) =>
      `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: ${name}, annotations: {${annotations}}}\nspec: {address: 127.0.0.1}`;
    galley.write(entry('old', 'flotilla.io/automatic: proxy'));
    galley.write(entry('by-hand', ''));
    await pilot('a');
    await pass(14_000);
    expect(galley.removed).toEqual([]);
    await pass(6_000);
    expect(galley.removed).toEqual(['default/old']);
  });
});

test('a store that was lost and made anew, with versions from the beginning, gets the entries of connected proxies again', async () => {
  for (let round = 0; round < 5; round++) galley.write(`${SERVICE}\n  labels: { round: '${round}' }`);
  const a = await pilot('a');
  await connect(a);
  galley.loseEverything(SERVICE);
  await pass(10_000);
  expect(galley.names('WorkloadEntry')).toEqual([ENTRY]);
  expect(galley.version).toBeLessThan(6);
});

const SERVICE = `apiVersion: v1
kind: Service
spec: { ports: [{ name: http, port: 80 }] }
metadata:
  name: other`;

describe('two proxies that claim one entry', () => {
  const first = proxyNode({ workload: 'reviews-v1', instance: 'first' });
  const second = proxyNode({
    workload: 'reviews-v1',
    instance: 'second',
    locality: { region: 'r', zone: '', subZone: '' },
  });

  test('raise an alarm: the first keeps it while it is connected, and then the second has it', async () => {
    const a = await pilot('a');
    a.registration.connected(first, IDENTITY);
    await settle();
    const { version } = galley;
    a.registration.connected(second, IDENTITY);
    await settle();
    expect(galley.version).toBe(version);
    expect(a.alarms.list()).toMatchObject([{ kind: 'contested', identity: IDENTITY, count: 1 }]);
    a.registration.disconnected(first, IDENTITY);
    await settle();
    expect(galley.version).toBe(version + 1);
    await pass(60_000);
    expect(galley.removed).toEqual([]);
    a.registration.disconnected(second, IDENTITY);
    await pass(1_000);
    expect(galley.removed).toEqual([ENTRY]);
  });

  test('leave it alone when the second goes first', async () => {
    const a = await pilot('a');
    a.registration.connected(first, IDENTITY);
    a.registration.connected(second, IDENTITY);
    a.registration.disconnected(second, IDENTITY);
    await pass(60_000);
    expect(galley.names('WorkloadEntry')).toEqual([ENTRY]);
    a.registration.disconnected(first, IDENTITY);
    await pass(1_000);
    expect(galley.removed).toEqual([ENTRY]);
  });

  test('are told apart from one that comes back before its broken stream is given up', async () => {
    const a = await pilot('a');
    a.registration.connected(first, IDENTITY);
    a.registration.connected(first, IDENTITY);
    a.registration.disconnected(first, IDENTITY);
    await pass(60_000);
    expect([a.alarms.list(), galley.removed]).toEqual([[], []]);
  });

  test('of different identities never share it', async () => {
    const a = await pilot('a');
    const other = 'spiffe://cluster.local/ns/default/sa/other';
    a.registration.connected(first, IDENTITY);
    a.registration.connected(first, other);
    a.registration.disconnected(first, other);
    await pass(60_000);
    expect(galley.removed).toEqual([]);
    expect(a.alarms.list()).toMatchObject([{ kind: 'contested', identity: other }]);
  });

  test('are noticed too when they are connected to two pilots', async () => {
    const [a, b] = [await pilot('a'), await pilot('b')];
    a.registration.connected(first, IDENTITY);
    await settle();
    b.registration.connected(second, IDENTITY);
    await settle();
    expect(a.alarms.list()).toMatchObject([
      { kind: 'contested', reason: expect.stringContaining('pilot b') as string },
    ]);
  });
});
