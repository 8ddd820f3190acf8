import { request } from 'node:http';
import { startRedisServer, withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Load } from '../load.ts';
import { until } from './poll.ts';
import { type MeshWorkload, SeparateMesh, SERVICE_PORT } from './separate-mesh.ts';

const PROXIES = 20;
const SERVICES = 5;
const REQUESTS_PER_SECOND = 300;
const WARM_UP_ROUNDS = 50;

withPeer('redis-server', (program) => {
  describe('two pilots and twenty proxies at 300 requests/s', () => {
    let mesh: SeparateMesh;
    let change = 0;
    const versions: string[] = [];

    beforeAll(async () => {
      mesh = await SeparateMesh.start({
        redis: () => startRedisServer({ program, durable: true }),
        pilots: 2,
        workloads: PROXIES,
        services: SERVICES,
        certificateTtl: '30s',
      });
    }, 180_000);
    afterAll(() => mesh?.stop(), 60_000);

    it('fail no request and lose no configuration while every part of the control plane is killed and comes back', async () => {
      await configure('at the start');
      await warmUp();
      const loads = mesh.workloads.map(
        ({ httpProxyPort }, at) => new Load(target(httpProxyPort, at + 1), REQUESTS_PER_SECOND / PROXIES),
      );
      for (const pilot of mesh.pilots) {
        await pilot.end('SIGKILL');
        // The other pilot has all proxies, and brings them what is new.
        await tryToConfigure();
        await until('the new version is in force everywhere', async () => (await staleWorkloads()).length === 0);
        pilot.start();
        await mesh.ready(pilot);
        await configure(`${pilot.name} was killed`);
      }

      await mesh.redis.kill();
      await expect(apply(change + 1)).rejects.toMatchObject({
        code: expect.stringMatching(/unavailable|Unavailable|14/),
      });
      await mesh.redis.restart();
      await configure('Redis was killed');

      await mesh.galley.end('SIGKILL');
      await expect(apply(change + 1)).rejects.toThrow();
      mesh.galley.start();
      await mesh.ready(mesh.galley);
      await configure('galley was killed');

      await mesh.citadel.end('SIGKILL');
      await configure('citadel was killed, and is away');
      mesh.citadel.start();
      await mesh.ready(mesh.citadel);
      await configure('citadel is back');

      const reports = await Promise.all(loads.map((load) => load.stop()));
      console.log(versions.join('\n'));
      expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
      // However soon the parts come back, requests met every outage.
      expect(reports.reduce((sum, { sent }) => sum + sent, 0)).toBeGreaterThan(versions.length * 50);
      const each = PROXIES / SERVICES;
      expect(await mesh.endpoints()).toEqual(
        Object.fromEntries(Array.from({ length: SERVICES }, (_, at) => [`svc-${at}`, each])),
      );
    }, 300_000);

    const target = (port: number, at: number) => {
      const authority = `svc-${at % SERVICES}:${SERVICE_PORT}`;
      return { host: '127.0.0.1', port, path: `http://${authority}/`, authority };
    };

    /** Compiled code and open connections everywhere: what a mesh has that was not started a moment ago. */
    async function warmUp(): Promise<void> {
      for (let round = 0; round < WARM_UP_ROUNDS; round++) {
        for (const [at, workload] of mesh.workloads.entries()) await changeSeenBy(workload, at + round);
      }
    }

    /** Applies one change; galley or its store may be away. */
    const apply = (number: number) =>
      mesh.client.galley.apply(
        { documents: [{ source: 'change', yaml: virtualServices(number) }] },
        { timeoutMs: 5_000 },
      );

    async function tryToConfigure(): Promise<bigint> {
      change += 1;
      let version = 0n;
      await until('the change is accepted', async () => {
        ({ version } = await apply(change));
        return true;
      });
      return version;
    }

    /** A change reaches every proxy, by its pilots' word and by what its requests get. */
    async function configure(after: string): Promise<void> {
      const accepted = await tryToConfigure();
      await until(
        `all proxies acknowledge version ${accepted} after: ${after}`,
        async () => {
          const at = await mesh.syncedAt();
          return at !== null && at.proxies === PROXIES && at.version >= accepted;
        },
        60_000,
      );
      const at = await mesh.syncedAt();
      versions.push(`version ${accepted} accepted, ${at?.proxies} proxies in sync at ${at?.version}: ${after}`);
      expect(await staleWorkloads(), after).toEqual([]);
    }

    /** Workloads whose requests still get an older configuration. */
    async function staleWorkloads(): Promise<readonly string[]> {
      const answers = await Promise.all(mesh.workloads.map((workload, at) => changeSeenBy(workload, at)));
      return mesh.workloads.filter((_, at) => answers[at] !== String(change)).map(({ name }) => name);
    }

    function changeSeenBy({ httpProxyPort }: MeshWorkload, at: number): Promise<string | null> {
      const { host, port, path, authority } = target(httpProxyPort, at);
      return new Promise((resolve) => {
        const call = request({ host, port, path, agent: false, headers: { host: authority } }, (response) => {
          response.resume();
          const value = response.headers['x-change'];
          resolve(typeof value === 'string' ? value : null);
        });
        call.once('error', () => resolve(null));
        call.end();
      });
    }
  });
});

/** Answers of every service carry the number of the change. */
function virtualServices(change: number): string {
  return Array.from(
    { length: SERVICES },
    (_, at) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: svc-${at} }
spec:
  hosts: [svc-${at}]
  http:
    - route: [{ destination: { host: svc-${at} } }]
      headers: { response: { set: { x-change: '${change}' } } }
`,
  ).join('---\n');
}
