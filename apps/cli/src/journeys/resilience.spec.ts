import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Load, type LoadReport } from './load.ts';
import { repository, TestMesh } from './mesh.ts';

const DURATION_MS = 60_000;
const KILLS_AT_MS = [12_000, 28_000, 44_000];
const CHANGES = 20;
const CONNECTION_STATS = '(upstream_cx_(total|active|connect)|rq_pending|downstream_cx_(total|active)|ssl\\.)';

describe('a mesh under 300 requests/s', () => {
  let mesh: TestMesh;
  let scratch: string;
  const killedAt: string[] = [];

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'flotilla-changes-'));
    // Renewed at half of their lifetime: every 10 seconds.
    mesh = await TestMesh.start(join(repository, 'examples/bookinfo/mesh.yaml'), ['--certificate-ttl', '20s']);
    await mesh.apply(write('subsets', destinationRule()));
  });
  afterAll(async () => {
    await mesh?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  it(
    'fails no request while the control plane is killed three times, certificates rotate and 20 changes are applied',
    async () => {
      const ingress = new URL(mesh.summary.ingress);
      const sidecar = new URL(mesh.proxy('productpage-v1').httpProxy ?? '');
      const loads = [
        new Load(
          { host: ingress.hostname, port: Number(ingress.port), path: '/productpage', authority: 'bookinfo' },
          50,
        ),
        new Load(
          {
            host: sidecar.hostname,
            port: Number(sidecar.port),
            path: 'http://reviews:9080/reviews/0',
            authority: 'reviews:9080',
          },
          250,
        ),
      ];
      const serials = new Set<string>();
      const restarts: RestartReport[] = [];
      const startedMs = performance.now();
      const until = (ms: number) => delay(Math.max(0, startedMs + ms - performance.now()));

      // A restart and a change do not overlap: the versions before and after a restart must be comparable.
      let last: Promise<unknown> = Promise.resolve();
      const alone = <T>(action: () => Promise<T>): Promise<T> => {
        const next = last.then(action);
        last = next.catch(() => undefined);
        return next;
      };
      const killing = (async () => {
        for (const atMs of KILLS_AT_MS) {
          await until(atMs);
          restarts.push(await alone(killControlPlane));
        }
      })();
      const changing = (async () => {
        for (let change = 0; change < CHANGES; change++) {
          await until(((change + 0.5) * DURATION_MS) / CHANGES);
          await alone(() => applyPersistently(write('split', virtualService(change))));
        }
      })();
      const watching = (async () => {
        for (let elapsedMs = 0; elapsedMs < DURATION_MS; elapsedMs += 2_500) {
          await until(elapsedMs);
          serials.add(await serialOf('reviews-v1'));
        }
      })();
      await Promise.all([killing, changing, watching, until(DURATION_MS)]);
      const reports = await Promise.all(loads.map((load) => load.stop()));

      const failures = reports.flatMap(({ failures: each }) => each);
      expect(failures, failures.length === 0 ? '' : await circumstances(reports)).toEqual([]);
      expect(reports.reduce((sum, { sent }) => sum + sent, 0)).toBeGreaterThan(17_000);
      expect(serials.size, 'certificates seen').toBeGreaterThanOrEqual(5);
      for (const restart of restarts) {
        expect(restart.warmingsAfter).toEqual(restart.warmingsBefore);
        expect(restart.versionsAfter).toEqual(restart.versionsBefore);
      }
      const status = await mesh.run('proxy-status');
      expect(status).toMatchObject({ code: 0 });
    },
    DURATION_MS + 60_000,
  );

  /** What may tell why requests failed: stalls of the machine, and connections as each proxy counts them. */
  async function circumstances(reports: readonly LoadReport[]): Promise<string> {
    const counts = mesh.summary.proxies.map(async ({ name, admin }) => {
      const text = await (await fetch(`${admin}/stats?usedonly&filter=${CONNECTION_STATS}`)).text();
      const told = text.split('\n').filter((line) => line !== '' && !line.endsWith(': 0'));
      return `${name}\n  ${told.join('\n  ')}`;
    });
    return [
      ...reports.flatMap(({ stalls }) => stalls.map((stall) => `the load stood still, ${stall}`)),
      `restarts: ${killedAt.join(', ')}`,
      ...(await Promise.all(counts)),
    ].join('\n');
  }

  interface RestartReport {
    readonly warmingsBefore: readonly number[];
    readonly warmingsAfter: readonly number[];
    readonly versionsBefore: readonly string[];
    readonly versionsAfter: readonly string[];
  }

  /** Kills the control plane and waits until every proxy is connected to the new one and in sync. */
  async function killControlPlane(): Promise<RestartReport> {
    expect(await mesh.run('apply', '-f', join(scratch, 'subsets.yaml'), '--wait')).toMatchObject({ code: 0 });
    const [warmingsBefore, versionsBefore] = await Promise.all([warmings(), versions()]);
    killedAt.push(new Date().toISOString());
    process.kill(controlPlanePid(mesh.summary.pid), 'SIGKILL');
    await expect.poll(syncedProxies, { timeout: 10_000 }).toBe(mesh.summary.proxies.length);
    return { warmingsBefore, versionsBefore, warmingsAfter: await warmings(), versionsAfter: await versions() };
  }

  /** How many proxies the present control plane knows; 0 while one of them is not in sync, or it is away. */
  async function syncedProxies(): Promise<number> {
    const status = await mesh.run('proxy-status', '-o', 'json');
    if (status.code !== 0) return 0;
    // The command's own documented output.
    return (JSON.parse(status.stdout) as { proxies: readonly unknown[] }).proxies.length;
  }

  function write(name: string, yaml: string): string {
    const file = join(scratch, `${name}.yaml`);
    writeFileSync(file, yaml);
    return file;
  }

  /** Applies, and again while the control plane is away. */
  async function applyPersistently(file: string): Promise<void> {
    await expect.poll(async () => (await mesh.run('apply', '-f', file)).code, { timeout: 10_000 }).toBe(0);
  }

  const everyProxy = <T>(read: (admin: string) => Promise<T>) =>
    Promise.all(mesh.summary.proxies.map(({ admin }) => read(admin)));
  const warmings = () =>
    everyProxy(
      async (admin) =>
        (await stat(admin, 'cluster_manager.cluster_warmings')) +
        (await stat(admin, 'listener_manager.listener_warmings')),
    );
  /** Versions of the resources from pilot, content hashes; the proxy counts those of its own secrets in numbers. */
  const versions = () =>
    everyProxy(async (admin) => {
      const dump: unknown = await (await fetch(`${admin}/config_dump`)).json();
      return JSON.stringify(
        [...JSON.stringify(dump).matchAll(/"version_info":"([\w-]{16})"/g)].map((match) => match[1]).sort(),
      );
    });

  async function serialOf(name: string): Promise<string> {
    const text = await (await fetch(`${mesh.proxy(name).admin}/certs`)).text();
    return /"cert_chain"[^]*?"serial_number":\s*"([^"]+)"/.exec(text)?.[1] ?? 'none';
  }
});

async function stat(admin: string, name: string): Promise<number> {
  const text = await (await fetch(`${admin}/stats?filter=^${name.replaceAll('.', '\\.')}$`)).text();
  return Number(/: (\d+)/.exec(text)?.[1] ?? Number.NaN);
}

/** The child of `flotilla up` that runs the control plane now. */
function controlPlanePid(parent: number): number {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args=']).toString();
  for (const line of table.split('\n')) {
    const [pid, ppid, ...command] = line.trim().split(/\s+/);
    if (Number(ppid) === parent && command.includes('control-plane')) return Number(pid);
  }
  throw new Error('the control plane does not run');
}

function destinationRule(): string {
  const subset = (version: string) => `    - { name: ${version}, labels: { version: ${version} } }`;
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets:
${['v1', 'v2', 'v3'].map(subset).join('\n')}
`;
}

function virtualService(change: number): string {
  const subset = ['v1', 'v2', 'v3'][change % 3];
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - route: [{ destination: { host: reviews, subset: ${subset} } }]
      headers: { response: { set: { x-change: '${change}' } } }
`;
}
