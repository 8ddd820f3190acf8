import { execFileSync } from 'node:child_process';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestMesh } from './mesh.ts';
import { callH1, isRefused, Rate } from './rolling/load.ts';
import { ClientH2 } from './rolling/load-h2.ts';

/** `FLOTILLA_ROLLING_SECONDS=300` for the long run. */
const DURATION_MS = Number(process.env['FLOTILLA_ROLLING_SECONDS'] ?? 45) * 1_000;
const GATEWAYS = ['gateway-a', 'gateway-b'];
const INSTANCES = ['echo-a', 'echo-b'];
const CALLERS = ['client', ...GATEWAYS];
const PROBE_EVERY_MS = 100;
const READY_WITHIN_MS = 40_000;

describe('a rolling restart under 500 requests/s', () => {
  let mesh: TestMesh;
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });

  beforeAll(async () => {
    mesh = await TestMesh.start(join(import.meta.dirname, 'rolling/mesh.yaml'));
  }, 90_000);
  afterAll(async () => {
    agent.destroy();
    await mesh?.stop();
  });

  it(
    'of applications, sidecars and gateways, one after another, fails no request',
    async () => {
      await untilCallersKnowBoth();
      const balancer = balanceGateways();
      const sidecar = mesh.proxy('client').httpProxy ?? '';
      const bySidecar = (method: 'GET' | 'POST', port: number) => () =>
        callH1(agent, { method, origin: () => sidecar, target: `http://echo:${port}/`, authority: `echo:${port}` });
      const byGateway = (target: string) => () =>
        callH1(agent, { method: 'GET', origin: balancer.pick, target, authority: 'shop' });
      const h2 = new ClientH2(balancer.pick);
      const loads = [
        new Rate('sidecar, HTTP/1.1', 125, bySidecar('GET', 8000)),
        new Rate('sidecar, HTTP/1.1, POST', 50, bySidecar('POST', 8000)),
        new Rate('sidecar, HTTP/2 between proxies', 100, bySidecar('GET', 8002)),
        new Rate('sidecar, HTTP/2 between proxies, POST', 25, bySidecar('POST', 8002)),
        new Rate('gateway, HTTP/1.1', 75, byGateway('/')),
        new Rate('gateway, HTTP/1.1, then HTTP/2', 50, byGateway('/http2')),
        new Rate('gateway, HTTP/2', 75, () => h2.request('/', 'shop')),
      ];

      const startedMs = performance.now();
      const restarts: string[] = [];
      for (const restart of restartsForEver()) {
        restarts.push(`${new Date().toISOString()} ${restart.name}`);
        await restart.run();
        await untilCallersKnowBoth();
        if (performance.now() - startedMs > DURATION_MS) break;
      }
      const outcomes = await Promise.all(loads.map((load) => load.stop()));
      await balancer.stop();
      h2.close();

      const failures = outcomes.flatMap((outcome) => outcome.failures);
      const sent = outcomes.reduce((sum, outcome) => sum + outcome.sent, 0);
      console.log(`${restarts.length} restarts, ${sent} requests, ${failures.length} failed`);
      expect(failures, `restarts:\n${restarts.join('\n')}`).toEqual([]);
    },
    DURATION_MS + 180_000,
  );

  function* restartsForEver(): Generator<{ readonly name: string; readonly run: () => Promise<void> }> {
    for (;;) {
      for (const name of INSTANCES) yield { name: `application of ${name}`, run: () => restartApplication(name) };
      for (const name of INSTANCES) yield { name: `sidecar of ${name}`, run: () => restartProxy(name) };
      for (const name of GATEWAYS) yield { name, run: () => restartProxy(name) };
    }
  }

  async function restartApplication(name: string): Promise<void> {
    await restarted(`application.ts ${name}`, async () => {
      const addresses = mesh.proxy(name).ports.map(({ application }) => `http://${application}/`);
      // HTTP/2 answers a request of HTTP/1.1 with its own preface: somebody listens.
      await Promise.all(addresses.map((address) => fetch(address).catch(unlessRefused)));
    });
  }

  async function restartProxy(name: string): Promise<void> {
    await restarted(`--workload ${name} `, async () => {
      const { status } = await fetch(`${mesh.proxy(name).admin}/ready`);
      if (status !== 200) throw new Error(`${name} is not ready`);
    });
  }

  /** Ends the process with these words on its command line; resolves when its successor passes the probe. */
  async function restarted(words: string, probe: () => Promise<void>): Promise<void> {
    const before = pidOf(words);
    process.kill(before, 'SIGTERM');
    await expect.poll(() => pidOf(words), { timeout: READY_WITHIN_MS }).not.toBeOneOf([before, 0]);
    await expect.poll(() => probe().then(() => 'ready', String), { timeout: READY_WITHIN_MS }).toBe('ready');
  }

  /** 0: there is none. */
  function pidOf(words: string): number {
    const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args=']).toString();
    const line = table.split('\n').find((each) => each.includes(words) && each.includes(` ${mesh.summary.pid} `));
    return Number(line?.trim().split(/\s+/)[0] ?? 0);
  }

  /** The next may go only when the one before is everybody's endpoint again. */
  async function untilCallersKnowBoth(): Promise<void> {
    for (const name of CALLERS) {
      await expect.poll(() => endpointsOf(name), { timeout: READY_WITHIN_MS }).toEqual([2, 2]);
    }
  }

  async function endpointsOf(name: string): Promise<number[]> {
    const response = await fetch(`${mesh.proxy(name).admin}/clusters`);
    const text = await response.text();
    return [8000, 8002].map(
      (port) =>
        text
          .split('\n')
          .filter((line) => line.startsWith(`outbound|${port}||echo.`) && line.includes('::health_flags::')).length,
    );
  }

  /** A load balancer of which clients know no more than where to connect: new connections go to what is ready. */
  function balanceGateways() {
    const stopping = new AbortController();
    const ready = new Set(GATEWAYS);
    const probing = (async () => {
      while (!stopping.signal.aborted) {
        for (const name of GATEWAYS) {
          const isReady = await fetch(`${mesh.proxy(name).admin}/ready`).then(
            ({ status }) => status === 200,
            () => false,
          );
          if (isReady) ready.add(name);
          else ready.delete(name);
        }
        // A load balancer's probe has a period.
        await delay(PROBE_EVERY_MS);
      }
    })();
    let turn = 0;
    return {
      pick(): string {
        const names = [...ready];
        return `http://${mesh.proxy(names[turn++ % names.length] ?? GATEWAYS[0] ?? '').ports[0]?.address ?? ''}`;
      },
      async stop() {
        stopping.abort();
        await probing;
      },
    };
  }
});

function unlessRefused(error: unknown): void {
  if (isRefused(error)) throw error;
}
