/**
 * What capture costs against explicit mode: the same two workloads, each with a sidecar, on the same bridge; once
 * captured by iptables, once told where their proxies are. And without any proxy, to see what is added.
 *
 *   npm run bench -- capture [--seconds 2] [--rounds 5] [--json]
 *
 * Linux, root with NET_ADMIN, iptables, iproute2 and wrk. Takes rounds x 3 modes x 3 loads x seconds, and the start of
 * the mesh. The modes alternate within a round; figures are medians. On a machine that is shared only the ratios mean
 * something, and CPU time most of all.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findPeer } from '@flotilla/testing';
import { service } from '../../apps/cli/src/journeys/namespaces/bookinfo.ts';
import type { MeshPlan, WorkloadPlan } from '../../apps/cli/src/journeys/namespaces/mesh-plan.ts';
import { NamespacedMesh } from '../../apps/cli/src/journeys/namespaces/namespaced-mesh.ts';
import { formatTable, median } from './statistics.ts';
import { parseWrk, wrkCommand, type WrkResult, type WrkTarget } from './wrk.ts';

const MODES = ['direct', 'explicit', 'capture'] as const;
type Mode = (typeof MODES)[number];

const PROXY_PORT = 15_080;
const APPLICATION_PORT = 8080;

const LOADS = [
  { name: 'keep-alive', connections: 32, newConnections: false },
  { name: 'one by one', connections: 1, newConnections: false },
  { name: 'a connection each', connections: 8, newConnections: true },
] as const;
type LoadName = (typeof LOADS)[number]['name'];

interface Measure {
  readonly title: string;
  readonly load: LoadName;
  readonly unit: 'requests/s' | 'ms' | 'us';
  readonly of: (result: Result) => number;
}

/** One run: what wrk saw, and the CPU time that both proxies took together. */
interface Result extends WrkResult {
  readonly cpuUs: number;
}

const MEASURES: readonly Measure[] = [
  { title: 'requests/s, 32 connections', load: 'keep-alive', unit: 'requests/s', of: (run) => run.requestsPerSecond },
  {
    title: 'requests/s, a connection each',
    load: 'a connection each',
    unit: 'requests/s',
    of: (run) => run.requestsPerSecond,
  },
  { title: 'latency p50 ms, one by one', load: 'one by one', unit: 'ms', of: (run) => run.p50Ms },
  { title: 'latency p99 ms, one by one', load: 'one by one', unit: 'ms', of: (run) => run.p99Ms },
  { title: 'CPU us a request, both proxies', load: 'keep-alive', unit: 'us', of: (run) => run.cpuUs / run.requests },
  {
    title: 'CPU us a request, a connection each',
    load: 'a connection each',
    unit: 'us',
    of: (run) => run.cpuUs / run.requests,
  },
];

export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
    },
  });
  for (const peer of ['network-namespaces', 'wrk'] as const) {
    if (findPeer(peer) === null) throw new Error(`this needs ${peer}`);
  }
  const results = new Map<string, Result[]>();
  const mesh = await NamespacedMesh.start(plan());
  try {
    await untilServed(mesh);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const load of LOADS) {
        for (const mode of MODES) {
          const result = await measure(mesh, mode, { ...load, seconds: Number(values.seconds) });
          const key = keyOf(mode, load.name);
          results.set(key, [...(results.get(key) ?? []), result]);
        }
      }
      if (!values.json) process.stderr.write(`round ${round + 1} of ${values.rounds}\n`);
    }
  } finally {
    await mesh.stop();
  }
  report(results, values.json);
}

function report(results: ReadonlyMap<string, readonly Result[]>, asJson: boolean): void {
  const rows = [['', ...MODES, 'capture / explicit']];
  for (const { title, load, unit, of } of MEASURES) {
    const values = (mode: Mode) => (results.get(keyOf(mode, load)) ?? []).map(of);
    const medians = MODES.map((mode) => median(values(mode)));
    // Round by round: what else the machine does meanwhile touches both alike.
    const explicit = values('explicit');
    const ratio = median(values('capture').map((value, round) => value / (explicit[round] ?? Number.NaN)));
    if (asJson) {
      for (const [index, mode] of MODES.entries()) {
        const line = { bench: 'capture', measure: title, unit, mode, median: medians[index], rounds: values(mode) };
        console.log(JSON.stringify(line));
      }
      console.log(JSON.stringify({ bench: 'capture', measure: title, unit: 'capture/explicit', median: ratio }));
    }
    const digits = unit === 'ms' ? 3 : 0;
    rows.push([title, ...medians.map((value) => value.toFixed(digits)), ratio.toFixed(2)]);
    if (title.startsWith('latency')) {
      const [direct = 0, ...proxied] = medians;
      rows.push(['  added to direct', '', ...proxied.map((value) => (value - direct).toFixed(digits)), '']);
    }
  }
  const errors = [...results.values()].flat().reduce((sum, result) => sum + result.errors, 0);
  if (!asJson) process.stdout.write(`${formatTable(rows)}${errors} errors\n`);
  if (errors > 0) process.exitCode = 1;
}

function keyOf(mode: Mode, load: LoadName): string {
  return `${mode} ${load}`;
}

function plan(): MeshPlan {
  const command = [process.execPath, join(import.meta.dirname, 'upstream.ts'), String(APPLICATION_PORT)];
  const client = (mode: Mode, more: Partial<WorkloadPlan>): WorkloadPlan => ({
    name: `${mode}-client`,
    serviceAccount: 'client',
    labels: { app: `${mode}-client` },
    ...more,
  });
  const server = (mode: Mode, more: Partial<WorkloadPlan>): WorkloadPlan => ({
    name: mode,
    serviceAccount: 'server',
    labels: { app: mode },
    command,
    ...more,
  });
  const bound = `name=http,port=${APPLICATION_PORT},bind=18080,app=${APPLICATION_PORT}`;
  return {
    meshConfig: { accessLogFile: '' },
    workloads: [
      client('direct', { proxy: 'none' }),
      server('direct', { proxy: 'none' }),
      client('explicit', { interception: 'none', agentSettings: ['--http-proxy-port', String(PROXY_PORT)] }),
      server('explicit', { interception: 'none', agentSettings: ['--port', bound] }),
      client('capture', {}),
      server('capture', {}),
    ],
    config: (network) =>
      ['explicit', 'capture']
        .map((name, index) =>
          service(
            name,
            [network.virtualAddress(index).ipv4],
            [{ name: 'http', port: 80, targetPort: APPLICATION_PORT }],
          ),
        )
        .join('---\n'),
    names: (network, hosts) => ({
      capture: [network.virtualAddress(1).ipv4],
      direct: [hosts.get('direct')?.ipv4 ?? ''],
    }),
  };
}

/** Where wrk connects in each mode, and what it asks for. */
const TARGETS: Readonly<Record<Mode, WrkTarget>> = {
  direct: { url: `http://direct:${APPLICATION_PORT}`, path: '/', authority: 'direct' },
  explicit: { url: `http://127.0.0.1:${PROXY_PORT}`, path: 'http://explicit/', authority: 'explicit' },
  capture: { url: 'http://capture', path: '/', authority: 'capture' },
};

async function measure(mesh: NamespacedMesh, mode: Mode, load: Parameters<typeof wrkCommand>[1]): Promise<Result> {
  const command = wrkCommand(TARGETS[mode], load, mesh.directory);
  const startUs = cpuOfProxiesUs(mesh, mode);
  const { stdout, stderr } = await mesh.run(`${mode}-client`, command);
  return { ...parseWrk(stdout + stderr), cpuUs: cpuOfProxiesUs(mesh, mode) - startUs };
}

const CLOCK_TICK_US = 10_000;

/** User and system time of the proxies of both workloads (proc(5), fields 14 and 15). */
function cpuOfProxiesUs(mesh: NamespacedMesh, mode: Mode): number {
  if (mode === 'direct') return 0;
  const ticks = [`${mode}-client`, mode].map((name) => {
    const fields =
      readFileSync(`/proc/${mesh.proxy(name).pid ?? 0}/stat`, 'utf8')
        .split(') ')[1]
        ?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, count) => sum + count, 0) * CLOCK_TICK_US;
}

/** The endpoints of the last workload may be on their way still when all proxies are ready. */
async function untilServed(mesh: NamespacedMesh): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (const mode of MODES) {
    for (;;) {
      const { errors, requestsPerSecond } = await measure(mesh, mode, {
        connections: 1,
        seconds: 1,
        newConnections: false,
      });
      if (errors === 0 && requestsPerSecond > 0) break;
      if (performance.now() > deadline) throw new Error(`${mode} does not serve`);
    }
  }
}
