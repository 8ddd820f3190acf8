import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { connectMesh, environmentOptions, type MeshClient } from '@flotilla/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fetchPage } from './bookinfo-page.ts';
import { Load } from './load.ts';
import { repository } from './mesh.ts';

/** A running Bookinfo mesh, as the canary tool needs it. */
export interface CanaryWorld {
  /** Base URL of the ingress gateway. */
  readonly ingress: string;
  /** The `FLOTILLA_…` variables by which tools reach the control plane: `FLOTILLA_API` at least. */
  readonly environment: Readonly<Record<string, string>>;
  /** Prometheus pages of productpage's proxy: the caller of reviews. */
  readonly metrics: readonly string[];
  /** Labels of reviews that answer with errors. Default: of none, so that requests to them reach nobody. */
  readonly badLabels?: Readonly<Record<string, string>>;
}

const REQUESTS_PER_SECOND = 40;

function subsets(badLabels: CanaryWorld['badLabels']): string {
  return JSON.stringify({
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'reviews' },
    spec: {
      host: 'reviews',
      subsets: [
        { name: 'v1', labels: { version: 'v1' } },
        { name: 'v3', labels: { version: 'v3' } },
        { name: 'bad', labels: badLabels ?? { version: 'v3', 'canary.test/nobody': 'has-this' } },
      ],
    },
  });
}

const ALL_TO_V1 = JSON.stringify({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: 'reviews' },
  spec: { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews', subset: 'v1' } }] }] },
});

/** Defines the tests of `examples/canary` against a mesh, which `open` names once it runs. Leaves no resource behind. */
export function canarySuite(name: string, open: () => CanaryWorld | Promise<CanaryWorld>): void {
  describe(`canary against ${name}`, { timeout: 90_000 }, () => {
    let world: CanaryWorld;
    let mesh: MeshClient;

    beforeAll(async () => {
      world = await open();
      mesh = connectMesh({ api: '', ...environmentOptions(world.environment) });
    });
    beforeEach(async () => {
      const yaml = `${subsets(world.badLabels)}\n---\n${ALL_TO_V1}`;
      const { version } = await mesh.galley.apply({ documents: [{ source: 'canary suite', yaml }] });
      await mesh.waitForSync(version);
    });
    afterAll(async () => {
      const documents = [{ source: 'canary suite', yaml: `${subsets(world.badLabels)}\n---\n${ALL_TO_V1}` }];
      await mesh.galley.delete({ documents, ignoreMissing: true });
      mesh.close();
    });

    const start = (...args: string[]) =>
      startCanary([...world.metrics.flatMap((url) => ['--metrics', url]), ...args], world.environment);

    async function weights(): Promise<unknown> {
      const key = { group: 'networking.istio.io', kind: 'VirtualService', namespace: 'default', name: 'reviews' };
      const { resource } = await mesh.galley.get({ key });
      return resource?.body;
    }
    const routes = (from: number, to: number, subset: string) => ({
      spec: {
        http: [
          {
            route: [
              { destination: { subset: 'v1' }, weight: from },
              { destination: { subset }, weight: to },
            ],
          },
        ],
      },
    });
    const load = () => {
      const { hostname, port, host } = new URL(world.ingress);
      const target = { host: hostname, port: Number(port || 80), path: '/api/v1/products/0/reviews', authority: host };
      return new Load(target, REQUESTS_PER_SECOND);
    };

    it('promotes a good version, and no request fails meanwhile', async () => {
      const requests = load();
      const result = await finished(start('--steps', '20,50,100', '--watch', '1'));
      const { sent, failures } = await requests.stop();
      expect(result.stderr).toBe('');
      expect(result.code).toBe(0);
      expect(result.stdout).toMatch(
        /^0 % to v3: \d+ proxies.*\n20 % to v3.*\n50 % to v3.*\n100 % to v3.*\npromoted v3\n$/,
      );
      expect(failures).toEqual([]);
      expect(sent).toBeGreaterThan(REQUESTS_PER_SECOND * 3);
      expect(await weights()).toMatchObject(routes(0, 100, 'v3'));
      expect((await fetchPage(world.ingress)).reviews).toBe('v3');
    });

    it('takes a bad version back by itself', async () => {
      const requests = load();
      const result = await finished(start('--to', 'bad', '--steps', '50,100', '--watch', '20'));
      await requests.stop();
      expect(result.code).toBe(1);
      expect(result.stderr).toMatch(/rolling back to v1: \d+ of \d+ requests failed/);
      expect(result.stdout).not.toContain('100 %');
      expect(await weights()).toMatchObject(routes(100, 0, 'bad'));
      for (let index = 0; index < 20; index += 1) {
        expect(await fetchPage(world.ingress)).toMatchObject({ status: 200, reviews: 'v1' });
      }
    });

    it('takes everything back when it is interrupted', async () => {
      const child = start('--steps', '50,100', '--watch', '600');
      const result = finished(child);
      for await (const line of createInterface(child.stdout)) if (line.startsWith('50 %')) break;
      child.kill('SIGINT');
      expect(await result).toMatchObject({ code: 1, stderr: expect.stringContaining('interrupted by SIGINT') });
      expect(await weights()).toMatchObject(routes(100, 0, 'v3'));
    });
  });
}

export interface CanaryResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the tool as its users do. */
export function startCanary(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, [join(repository, 'examples/canary/src/canary.ts'), ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** What it said until it ended. */
export async function finished(child: ReturnType<typeof startCanary>): Promise<CanaryResult> {
  const exited = once(child, 'exit');
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code: Number(code), stdout, stderr };
}
