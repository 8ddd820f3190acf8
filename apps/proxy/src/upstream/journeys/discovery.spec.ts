import { afterEach, describe, expect, it } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { FakeClock, seededRandom } from '@flotilla/runtime';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import type { ResolvedAddress } from '../dns.ts';
import {
  ANY_HOST,
  answering,
  assignment,
  lbEndpoint,
  openWorld,
  pickHost,
  type RawServer,
  send,
  startRawServer,
  staticCluster,
  tcpAddress,
  until,
  type World,
} from './world.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function open(overrides: Parameters<typeof openWorld>[0] = {}): World {
  const world = openWorld(overrides);
  endings.push(() => world.manager.close());
  return world;
}

async function backend(name: string): Promise<RawServer> {
  const server = await startRawServer(answering(`HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`));
  endings.push(() => server.close());
  return server;
}

const edsCluster = (serviceName = '', connectTimeoutSeconds = 5) =>
  create(ClusterSchema, {
    name: 'c',
    clusterDiscoveryType: { case: 'type', value: 3 },
    edsClusterConfig: { serviceName },
    connectTimeout: { seconds: BigInt(connectTimeoutSeconds) },
  });

describe('EDS', () => {
  it('waits for endpoints, under the service name when there is one', () => {
    const world = open();
    const warm: string[] = [];
    world.manager.onWarm((name) => warm.push(name));
    world.manager.apply(edsCluster('s'));
    expect([world.manager.isWarm('c'), world.cluster().pick(ANY_HOST)]).toEqual([false, null]);
    world.manager.applyEndpoints(assignment('s', 1));
    expect([world.manager.isWarm('c'), warm]).toEqual([true, ['c']]);
    expect(pickHost(world.cluster()).address).toBe('127.0.0.1:1');
  });

  it('keeps what is known of a host whose address stays', () => {
    const world = open();
    world.manager.apply(edsCluster());
    world.manager.applyEndpoints(assignment('c', 1));
    const before = pickHost(world.cluster());
    world.manager.applyEndpoints(
      create(ClusterLoadAssignmentSchema, {
        clusterName: 'c',
        endpoints: [
          {
            lbEndpoints: [
              lbEndpoint(1, {
                loadBalancingWeight: 7,
                metadata: { filterMetadata: { istio: { workload: 'details-v1;default;details;v1;Kubernetes' } } },
              }),
            ],
          },
        ],
      }),
    );
    const after = pickHost(world.cluster());
    expect(after).toBe(before);
    expect([after.weight, after.peer?.workload, after.peer?.canonicalRevision]).toEqual([7, 'details-v1', 'v1']);
  });

  it('has its endpoints at once when the cluster itself changes', () => {
    const world = open();
    world.manager.apply(edsCluster());
    world.manager.applyEndpoints(assignment('c', 1));
    world.manager.apply(edsCluster('', 1));
    expect([world.manager.isWarm('c'), pickHost(world.cluster()).port]).toEqual([true, 1]);
  });

  it('leaves a cluster alone that is applied again unchanged', () => {
    const world = open();
    world.manager.apply(edsCluster());
    const before = world.cluster();
    world.manager.apply(edsCluster());
    expect(world.cluster()).toBe(before);
  });

  it('loses no request while hosts come and go and the cluster is replaced', async () => {
    const servers = await Promise.all(['a', 'b', 'c', 'd'].map(backend));
    const ports = servers.map((server) => server.port);
    const world = open();
    world.manager.apply(edsCluster());
    world.manager.applyEndpoints(assignment('c', ...ports));
    let isOver = false;
    const failures: string[] = [];
    let answered = 0;
    const client = async (): Promise<void> => {
      while (!isOver) {
        const answer = await send(world.cluster());
        answered += 1;
        if (answer.failure !== null || answer.status !== 200) failures.push(`${answer.failure} ${answer.detail}`);
      }
    };
    const clients = Array.from({ length: 8 }, client);
    const random = seededRandom(3);
    for (let change = 1; change <= 40; change++) {
      const chosen = ports.filter(() => random() < 0.6);
      world.manager.applyEndpoints(assignment('c', ...(chosen.length === 0 ? ports.slice(0, 1) : chosen)));
      if (change % 5 === 0) {
        world.manager.apply(edsCluster('', change));
      }
      const before = answered;
      await until(() => answered >= before + 25);
    }
    world.manager.applyEndpoints(assignment('c', ...ports.slice(0, 1)));
    isOver = true;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    // Connections to hosts that went are closed.
    await until(() => servers.slice(1).every((server) => server.sockets.every((socket) => socket.destroyed)));
    expect(world.value('cluster.c.membership_total')).toBe(1);
    expect(world.value('cluster.c.upstream_rq_active')).toBe(0);
  });

  it('lets a request finish on a host that goes', async () => {
    const slow = await startRawServer((socket) => socket.resume());
    endings.push(() => slow.close());
    const world = open();
    world.manager.apply(edsCluster());
    world.manager.applyEndpoints(assignment('c', slow.port));
    const answer = send(world.cluster());
    await until(() => (slow.sockets[0]?.bytesRead ?? 0) > 0);
    world.manager.applyEndpoints(assignment('c'));
    world.manager.remove('c');
    slow.sockets[0]?.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate');
    expect((await answer).body).toBe('late');
    await until(() => slow.sockets[0]?.destroyed === true);
  });

  it.each([
    ['a name', { address: tcpAddress(1, 'example.com') }, /"example.com" is not an IP address/],
    ['no address', {}, /endpoint.address: is missing/],
  ])('refuses %s, naming the field', (_case, endpoint, message) => {
    const world = open();
    world.manager.apply(edsCluster());
    const bad = create(ClusterLoadAssignmentSchema, {
      clusterName: 'c',
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: endpoint } }] }],
    });
    expect(() => world.manager.applyEndpoints(bad)).toThrow(message);
    expect(() => world.manager.checkEndpoints(bad)).toThrow(/^endpoints "c": endpoints\[0\]\.lb_endpoints\[0\]/);
  });
});

describe('overprovisioning', () => {
  it.each([
    ['70 of 100 requests stay where half of the hosts are, by default', undefined, 1],
    ['as many as there are hosts, where EDS says so', 100, 3],
  ])('%s', (_name, overprovisioningFactor, port) => {
    const world = open();
    world.manager.apply(edsCluster());
    world.manager.applyEndpoints(
      create(ClusterLoadAssignmentSchema, {
        clusterName: 'c',
        policy: overprovisioningFactor === undefined ? {} : { overprovisioningFactor },
        endpoints: [
          { priority: 0, lbEndpoints: [lbEndpoint(1, { healthStatus: 1 }), lbEndpoint(2, { healthStatus: 2 })] },
          { priority: 1, lbEndpoints: [lbEndpoint(3)] },
        ],
      }),
    );
    expect(world.cluster().pick({ ...ANY_HOST, random: () => 0.6 })?.port).toBe(port);
  });
});

describe('health and priorities', () => {
  const HEALTHY = 1;
  const UNHEALTHY = 2;
  const DEGRADED = 5;

  function picked(
    groups: { priority: number; hosts: [port: number, health: number][]; weight?: number }[],
    more: object = {},
  ): Record<number, number> {
    const world = open();
    world.manager.apply(
      staticCluster([], {
        loadAssignment: {
          clusterName: 'c',
          endpoints: groups.map(({ priority, hosts, weight }) => ({
            priority,
            ...(weight === undefined ? {} : { loadBalancingWeight: weight }),
            lbEndpoints: hosts.map(([port, healthStatus]) => lbEndpoint(port, { healthStatus })),
          })),
        },
        ...more,
      }),
    );
    const counts: Record<number, number> = {};
    for (let index = 0; index < 600; index++) {
      const port = world.cluster().pick(ANY_HOST)?.port ?? 0;
      counts[port] = (counts[port] ?? 0) + 1;
    }
    return counts;
  }

  it.each<[string, Parameters<typeof picked>[0], object, Record<number, number>]>([
    [
      'unhealthy hosts get nothing',
      [
        {
          priority: 0,
          hosts: [
            [1, HEALTHY],
            [2, UNHEALTHY],
          ],
        },
      ],
      {},
      { 1: 600 },
    ],
    [
      'unknown health counts as healthy',
      [
        {
          priority: 0,
          hosts: [
            [1, 0],
            [2, 0],
          ],
        },
      ],
      {},
      { 1: 300, 2: 300 },
    ],
    [
      'degraded hosts serve when none is healthy',
      [
        {
          priority: 0,
          hosts: [
            [1, UNHEALTHY],
            [2, DEGRADED],
          ],
        },
      ],
      {},
      { 2: 600 },
    ],
    [
      'the next priority serves when the first has nobody',
      [
        { priority: 1, hosts: [[3, HEALTHY]] },
        { priority: 0, hosts: [[1, UNHEALTHY]] },
      ],
      {},
      { 3: 600 },
    ],
    [
      'the first priority takes all while it has somebody',
      [
        { priority: 0, hosts: [[1, HEALTHY]] },
        { priority: 1, hosts: [[3, HEALTHY]] },
      ],
      {},
      { 1: 600 },
    ],
    [
      'all unhealthy: panic, everybody serves',
      [
        {
          priority: 0,
          hosts: [
            [1, UNHEALTHY],
            [2, UNHEALTHY],
          ],
        },
      ],
      {},
      { 1: 300, 2: 300 },
    ],
    [
      'all unhealthy without panic: nobody serves',
      [{ priority: 0, hosts: [[1, UNHEALTHY]] }],
      { commonLbConfig: { healthyPanicThreshold: { value: 0 } } },
      { 0: 600 },
    ],
    [
      'localities share by weight when asked',
      [
        { priority: 0, weight: 80, hosts: [[1, HEALTHY]] },
        {
          priority: 0,
          weight: 20,
          hosts: [
            [2, HEALTHY],
            [3, HEALTHY],
          ],
        },
      ],
      { commonLbConfig: { localityConfigSpecifier: { case: 'localityWeightedLbConfig', value: {} } } },
      { 1: 480, 2: 60, 3: 60 },
    ],
  ])('%s', (_behaviour, groups, more, expected) => {
    const counts = picked(groups, more);
    expect(Object.keys(counts)).toEqual(Object.keys(expected));
    for (const [port, count] of Object.entries(expected)) {
      expect(Math.abs((counts[Number(port)] ?? 0) - count)).toBeLessThanOrEqual(2);
    }
  });

  it('avoids hosts that were tried, as far as others are left', () => {
    const world = open();
    world.manager.apply(staticCluster([1, 2, 3]));
    const cluster = world.cluster();
    const first = pickHost(cluster);
    for (let index = 0; index < 50; index++) {
      expect(cluster.pick({ ...ANY_HOST, avoid: new Set([first]), avoidAttempts: 5 })).not.toBe(first);
    }
    const all = new Set([pickHost(cluster), pickHost(cluster), pickHost(cluster)]);
    expect(cluster.pick({ ...ANY_HOST, avoid: all, avoidAttempts: 5 })).not.toBeNull();
  });
});

describe('DNS', () => {
  const dnsCluster = (type: number, more: object = {}) =>
    create(ClusterSchema, {
      name: 'c',
      clusterDiscoveryType: { case: 'type', value: type },
      loadAssignment: {
        clusterName: 'c',
        endpoints: [
          { lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: tcpAddress(80, 'svc.test') } } }] },
        ],
      },
      ...more,
    });
  const STRICT = 1;
  const LOGICAL = 2;

  function resolver(first: readonly string[]) {
    let answer: readonly string[] | null = first;
    let asked = 0;
    return {
      set: (next: readonly string[] | null) => (answer = next),
      asked: () => asked,
      lookup: (): Promise<ResolvedAddress[]> => {
        asked += 1;
        if (answer === null) return Promise.reject(new Error('ENOTFOUND'));
        return Promise.resolve(answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
      },
    };
  }

  const addresses = (world: World) => world.manager.describe()[0]?.hosts.map((host) => host.address);

  it('takes every address, looks again, and keeps the name for host rewrites', async () => {
    const clock = new FakeClock();
    const dns = resolver(['10.0.0.1', '10.0.0.2']);
    const world = open({ clock, lookup: dns.lookup });
    world.manager.apply(dnsCluster(STRICT));
    expect(world.manager.isWarm('c')).toBe(false);
    await until(() => world.manager.isWarm('c'));
    expect(addresses(world)).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
    expect(pickHost(world.cluster()).hostname).toBe('svc.test');
    dns.set(['10.0.0.2', '10.0.0.3']);
    clock.advance(5_000);
    await until(() => addresses(world)?.includes('10.0.0.3:80') === true);
    expect(addresses(world)).toEqual(['10.0.0.2:80', '10.0.0.3:80']);
  });

  it('takes the first address only, for LOGICAL_DNS', async () => {
    const world = open({ clock: new FakeClock(), lookup: resolver(['10.0.0.1', '10.0.0.2']).lookup });
    world.manager.apply(dnsCluster(LOGICAL));
    await until(() => world.manager.isWarm('c'));
    expect(addresses(world)).toEqual(['10.0.0.1:80']);
  });

  it('keeps the last answer when the resolver fails, and asks again sooner or later', async () => {
    const clock = new FakeClock();
    const dns = resolver(['10.0.0.1']);
    const world = open({ clock, lookup: dns.lookup });
    world.manager.apply(dnsCluster(STRICT, { dnsRefreshRate: { seconds: 1n } }));
    await until(() => world.manager.isWarm('c'));
    dns.set(null);
    clock.advance(1_000);
    await until(() => world.value('cluster.c.update_failure') === 1);
    expect(addresses(world)).toEqual(['10.0.0.1:80']);
    dns.set(['10.0.0.9']);
    clock.advance(1_000);
    await until(() => addresses(world)?.[0] === '10.0.0.9:80');
  });

  it('is warm, and empty, after a first failure', async () => {
    const dns = resolver([]);
    dns.set(null);
    const world = open({ clock: new FakeClock(), lookup: dns.lookup });
    world.manager.apply(dnsCluster(STRICT));
    await until(() => world.manager.isWarm('c'));
    expect(addresses(world)).toEqual([]);
  });

  it.each([
    [0, ['::1']],
    [1, ['10.0.0.1']],
    [2, ['::1']],
    [3, ['10.0.0.1']],
    [4, ['10.0.0.1', '::1']],
  ])('chooses by lookup family %i', async (dnsLookupFamily, expected) => {
    const world = open({ clock: new FakeClock(), lookup: resolver(['10.0.0.1', '::1']).lookup });
    world.manager.apply(dnsCluster(STRICT, { dnsLookupFamily }));
    await until(() => world.manager.isWarm('c'));
    expect(world.manager.describe()[0]?.hosts.map((host) => host.address.replace(/\[|\]|:80$/g, ''))).toEqual(expected);
  });

  it('stops asking when the cluster goes', async () => {
    const clock = new FakeClock();
    const dns = resolver(['10.0.0.1']);
    const world = open({ clock, lookup: dns.lookup });
    world.manager.apply(dnsCluster(STRICT));
    await until(() => world.manager.isWarm('c'));
    world.manager.remove('c');
    clock.advance(60_000);
    expect(dns.asked()).toBe(1);
    expect([...world.stats.all()].filter((each) => each.name.startsWith('cluster.c.'))).toEqual([]);
  });
});
