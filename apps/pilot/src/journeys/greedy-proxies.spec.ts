import { status } from '@grpc/grpc-js';
import type { SpiffeId } from '@flotilla/spiffe';
import { createTestAuthority, type TestAuthority } from '@flotilla/spiffe/testing';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { StreamLimits } from '../serve/stream-limits.ts';
import { DeltaTestClient } from '../testing/delta-client.ts';
import { FakeGalley } from '../testing/fake-galley.ts';
import { channelOf, connectProxy, type SecureWorld, startSecureWorld } from '../testing/secure-world.ts';
import { sidecarNode, type SidecarOptions, workloadGroup } from '@flotilla/translate/testing';

const MODEST: SpiffeId = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'modest' };
const GREEDY: SpiffeId = { ...MODEST, serviceAccount: 'greedy' };
const STREAMS = 8;
const NAMES = 60_000;

const service = (name: string, port: number) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {selector: {app: ${name}}, ports: [{name: http, port: ${port}}]}`;

const opened: { close(): void | Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});
let authority: TestAuthority;
beforeAll(async () => {
  authority = await createTestAuthority();
});

async function start(limits: Partial<StreamLimits> = {}): Promise<SecureWorld> {
  const galley = new FakeGalley();
  galley.write(service('first', 9080));
  // Pilot serves whom configuration describes.
  const greedy = ['greedy', 'asking', ...Array.from({ length: STREAMS }, (_, at) => `greedy-${at}`)];
  galley.write(
    [sidecarOf(MODEST, 'modest'), ...greedy.map((workload) => sidecarOf(GREEDY, workload))]
      .map(workloadGroup)
      .join('\n---\n'),
  );
  const world = await startSecureWorld(authority, galley, { limits });
  opened.push(world.pilot);
  return world;
}

function sidecarOf(id: SpiffeId, workload: string): SidecarOptions {
  return { workload, serviceAccount: id.serviceAccount, labels: { app: workload } };
}

async function connect(world: SecureWorld, id: SpiffeId, workload: string): Promise<DeltaTestClient> {
  const sidecar = sidecarOf(id, workload);
  const client = connectProxy(world, await authority.issue(id), sidecar, authority.rootPem);
  opened.push(client);
  return client;
}

const names = (stream: number) => Array.from({ length: NAMES }, (_, at) => `outbound|80||s${stream}-${at}.example`);

test('one certificate with 8 streams of 60,000 names each is cut, says why, and nobody else feels it', async () => {
  const world = await start();
  const modest = await connect(world, MODEST, 'modest');
  await modest.has('CDS', 'outbound|9080||first.default.svc.cluster.local');
  const greedy: DeltaTestClient[] = [];
  for (let at = 0; at < STREAMS; at++) greedy.push(await connect(world, GREEDY, `greedy-${at}`));
  await Promise.all(greedy.map((client) => client.has('CDS', 'BlackHoleCluster')));
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  greedy.forEach((client, at) => client.subscribe('EDS', ...names(at)));
  for (const client of greedy) {
    expect(await client.end()).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringMatching(/pilot\.stream-unknown-names, which is 2000[^]*docs\/limits\.md/),
    });
  }
  // The modest one is sent what changes, as before.
  world.galley.write(`${service('first', 9080)}\n---\n${service('second', 9081)}`);
  await modest.has('CDS', 'outbound|9081||second.default.svc.cluster.local');
  // Within the time of its penalty the greedy one is not even listened to.
  expect(await (await connect(world, GREEDY, 'greedy')).end()).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  const held = (process.memoryUsage().heapUsed - before) / 2 ** 20;
  console.log(`${STREAMS} streams of ${NAMES} names: ${held.toFixed(0)} MiB more heap in a process of both ends`);
});

test('so is one that keeps asking, and one that says nothing', async () => {
  const world = await start({ requestBurst: 50, firstRequestMs: 50 });
  const asking = await connect(world, GREEDY, 'asking');
  for (let at = 0; at < 60; at++) asking.subscribe('EDS', `outbound|${at}||x`);
  expect(await asking.end()).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details: expect.stringContaining('pilot.stream-requests'),
  });
  const silent = new DeltaTestClient({
    address: world.pilot.xdsTls,
    node: sidecarNode({ workload: 'silent', serviceAccount: 'modest', labels: {} }),
    channel: channelOf(await authority.issue(MODEST)),
  });
  opened.push(silent);
  expect(await silent.end()).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details: expect.stringContaining('pilot.first-request'),
  });
});
