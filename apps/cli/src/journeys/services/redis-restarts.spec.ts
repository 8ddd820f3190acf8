import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { freePort, withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AcknowledgedWrites, type WrittenResource } from './acknowledged-writes.ts';
import { until } from './poll.ts';
import { SeparateMesh, SERVICE_PORT } from './separate-mesh.ts';
import { SHIPPED_IN, ShippedRedis } from './shipped-redis.ts';

/** `FLOTILLA_RESTARTS=100` for the long run. */
const RESTARTS = Number(process.env['FLOTILLA_RESTARTS'] ?? 30);
const ACCOUNTS = 40;
const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`;

type Part = 'Redis' | 'galley';
type Signal = 'SIGTERM' | 'SIGKILL';

interface Restart {
  /** In this order. */
  readonly ended: readonly (readonly [Part, Signal])[];
  /** In this order. */
  readonly started: readonly Part[];
}

const SIGNALS: readonly Signal[] = ['SIGTERM', 'SIGKILL'];
const ORDERS: readonly (readonly [Part, Part])[] = [
  ['Redis', 'galley'],
  ['galley', 'Redis'],
];
/** One of them, and both in every order: each with every signal. */
const WAYS: readonly Restart[] = [
  ...ORDERS.flatMap(([part]) => SIGNALS.map((signal): Restart => ({ ended: [[part, signal]], started: [part] }))),
  ...ORDERS.flatMap(([first, second]) =>
    SIGNALS.flatMap((firstSignal) =>
      SIGNALS.flatMap((secondSignal) =>
        ORDERS.map((started): Restart => ({
          ended: [
            [first, firstSignal],
            [second, secondSignal],
          ],
          started,
        })),
      ),
    ),
  ),
];

withPeer('redis-server', (program) => {
  describe('Redis as deploy/ ships it', () => {
    let redis: ShippedRedis;
    let data: string;
    let mesh: SeparateMesh;

    beforeAll(async () => {
      mesh = await SeparateMesh.start({
        redis: async (scratch) => {
          data = join(scratch, 'redis');
          const secrets = join(scratch, 'secrets');
          redis = new ShippedRedis({ program, port: await freePort(), directory: data, secrets });
          await redis.start('compose');
          return redis;
        },
        pilots: 1,
        workloads: 2,
        services: 2,
        certificateTtl: '1h',
      });
    }, 120_000);
    afterAll(() => mesh?.stop(), 60_000);

    it(
      `loses no acknowledged write and opens no door while it, galley and both are restarted ${RESTARTS} times`,
      async () => {
        await until('plaintext is answered', async () => (await askInPlaintext()) === 200);
        await until('workloads reach each other', async () => (await askThroughTheMesh()) === 200);
        await mesh.client.galley.apply({ documents: [{ source: 'strict', yaml: STRICT }] });
        await until('plaintext is refused', async () => (await askInPlaintext()) === 0);
        const { epoch } = await mesh.client.galley.listChanges({});

        const writes = new AcknowledgedWrites(mesh.client, account);
        const moreWrites = async () => {
          const before = writes.count;
          await until('a write is acknowledged', async () => writes.count > before, 30_000);
        };
        for (let at = 0; at < RESTARTS; at++) {
          const way = WAYS[at % WAYS.length] ?? { ended: [], started: [] };
          const shippedIn = SHIPPED_IN[Math.floor(at / WAYS.length) % SHIPPED_IN.length] ?? 'compose';
          const what = `restart ${at}, Redis of ${shippedIn}: ${JSON.stringify(way)}`;
          await moreWrites();
          for (const [part, signal] of way.ended) {
            await (part === 'Redis' ? redis : mesh.galley).end(signal);
            expect(await askInPlaintext(), what).toBe(0);
          }
          for (const part of way.started) {
            if (part === 'Redis') await redis.start(shippedIn);
            else mesh.galley.start();
            expect(await askInPlaintext(), what).toBe(0);
          }
          await moreWrites();
          expect(await writes.lost(), what).toEqual([]);
          expect((await mesh.client.galley.listChanges({})).epoch, what).toBe(epoch);
          expect([await askInPlaintext(), await askThroughTheMesh()], what).toEqual([0, 200]);
        }
        await writes.stop();
        console.log(`${RESTARTS} restarts: ${writes.count} writes acknowledged, ${writes.refusals.length} not`);
        expect(await writes.lost()).toEqual([]);
        const found = await mesh.client.galley.list({ kind: 'PeerAuthentication' });
        expect(found.resources.map(({ key }) => key?.name)).toEqual(['default']);
      },
      RESTARTS * 15_000,
    );

    it('is not begun anew when its data is gone, and goes on when that is put back', async () => {
      const found = await mesh.client.galley.list({});
      await mesh.galley.end('SIGTERM');
      await redis.end('SIGTERM');
      renameSync(data, `${data}.backup`);
      mkdirSync(data);
      await redis.start('compose');
      expect(await mesh.galley.start().exited()).toBe(1);
      expect(mesh.galley.output).toMatch(/Put it back from a backup\. To begin anew .*--begin-anew store:/);
      expect([await askInPlaintext(), await askThroughTheMesh()]).toEqual([0, 200]);

      await redis.end('SIGTERM');
      rmSync(data, { recursive: true });
      renameSync(`${data}.backup`, data);
      await redis.start('compose');
      mesh.galley.start();
      await mesh.ready(mesh.galley);
      expect((await mesh.client.galley.list({})).resources).toEqual(found.resources);
    }, 60_000);

    /** Status of an answer from a sidecar's inbound listener to somebody outside the mesh; 0 for none. */
    const askInPlaintext = () => ask(mesh.workloads[1]?.inboundPort ?? 0, '/');

    /** The same, asked by a workload of the mesh. */
    const askThroughTheMesh = () => ask(mesh.workloads[0]?.httpProxyPort ?? 0, `http://svc-1:${SERVICE_PORT}/`);
  });
});

const account = (number: number): WrittenResource => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: `account-${number % ACCOUNTS}`, namespace: 'written' },
});

function ask(port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    const headers = { host: `svc-1:${SERVICE_PORT}` };
    const call = request({ host: '127.0.0.1', port, path, agent: false, headers, timeout: 5_000 }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.once('timeout', () => call.destroy(new Error('no answer')));
    call.once('error', () => resolve(0));
    call.end();
  });
}
