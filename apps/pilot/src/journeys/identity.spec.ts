import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '@connectrpc/connect';
import { credentials, status } from '@grpc/grpc-js';
import { createInMemoryTransport } from '@flotilla/rpc';
import { systemClock } from '@flotilla/runtime';
import { createTestAuthority, FAULTY_LEAVES, type TestAuthority } from '@flotilla/spiffe/testing';
import type { SpiffeId, WorkloadCertificate } from '@flotilla/spiffe';
import { sidecarNode, type SidecarOptions, workloadGroup } from '@flotilla/translate/testing';
import { ClaimAlarm_Kind, PilotService } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { DeltaTestClient } from '../testing/delta-client.ts';
import { FakeGalley } from '../testing/fake-galley.ts';
import { channelOf, connectProxy, PILOT, type SecureWorld, startSecureWorld } from '../testing/secure-world.ts';

const REVIEWS: SpiffeId = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'bookinfo-reviews' };
const SIDECAR: SidecarOptions = {
  workload: 'reviews-v1',
  serviceAccount: 'bookinfo-reviews',
  labels: { app: 'reviews', version: 'v1' },
  httpProxyPort: 21_900,
  ports: [
    { name: 'http', port: 9080, bindAddress: '127.0.0.1', bindPort: 21_901, appAddress: '127.0.0.1', appPort: 1 },
  ],
};
const ENTRY = 'default/reviews-v1-127-0-0-1-21901';

const opened: { close(): void | Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

let authority: TestAuthority;
beforeAll(async () => {
  authority = await createTestAuthority();
});

async function start(galley = new FakeGalley(), registration = { graceMs: 20, orphanGraceMs: 60_000 }) {
  galley.write(workloadGroup(SIDECAR));
  const world = await startSecureWorld(authority, galley, { registration });
  opened.push(world.pilot);
  return world;
}

function connect(world: SecureWorld, certificate: WorkloadCertificate, sidecar = SIDECAR): DeltaTestClient {
  const client = connectProxy(world, certificate, sidecar, authority.rootPem);
  opened.push(client);
  return client;
}

const tick = () => new Promise((resolve) => setImmediate(resolve));

async function entries(galley: FakeGalley, ...expected: string[]): Promise<void> {
  while (galley.names('WorkloadEntry').join() !== expected.join()) await tick();
}

describe('who may speak for a workload', () => {
  test.each<[string, SpiffeId, SidecarOptions, number]>([
    ['another service account', { ...REVIEWS, serviceAccount: 'bookinfo-ratings' }, SIDECAR, status.PERMISSION_DENIED],
    ['another namespace', { ...REVIEWS, namespace: 'other' }, SIDECAR, status.PERMISSION_DENIED],
    ['another trust domain', { ...REVIEWS, trustDomain: 'elsewhere' }, SIDECAR, status.PERMISSION_DENIED],
  ])('not %s', async (_name, id, sidecar, code) => {
    const started = await start();
    const client = connect(started, await authority.issue(id), sidecar);
    const end = await client.end();
    expect(end).toMatchObject({ code });
    expect(client.arrivals).toEqual([]);
    expect(started.galley.names('WorkloadEntry')).toEqual([]);
  });

  test('not a certificate of another authority, nor a client without one', async () => {
    const started = await start();
    const foreign = await (await createTestAuthority('foreign')).issue(REVIEWS);
    expect(await connect(started, foreign).end()).toMatchObject({ code: status.UNAVAILABLE });
    const bare = new DeltaTestClient({
      address: started.pilot.xdsTls,
      node: sidecarNode(SIDECAR),
      channel: credentials.createSsl(Buffer.from(authority.rootPem), null, null, {
        checkServerIdentity: () => undefined,
      }),
    });
    opened.push(bare);
    bare.subscribe('CDS');
    expect(await bare.end()).toMatchObject({ code: status.UNAVAILABLE });
  });

  test.each(FAULTY_LEAVES)('not a certificate that %s', async (_what, options) => {
    const started = await start();
    const faulty = { ...(await authority.issue(REVIEWS)), ...(await authority.issueFaulty(REVIEWS, options)) };
    const client = connect(started, faulty);
    expect(await client.end()).toMatchObject({ code: status.UNAUTHENTICATED });
    expect(client.arrivals).toEqual([]);
  });

  test('a node that is not understood is told so', async () => {
    const started = await start();
    const certificate = await authority.issue(REVIEWS);
    const client = new DeltaTestClient({
      address: started.pilot.xdsTls,
      node: { ...sidecarNode(SIDECAR), id: 'nonsense' },
      channel: channelOf(certificate),
    });
    opened.push(client);
    client.subscribe('CDS');
    expect(await client.end()).toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});

describe('what a workload may say of itself', () => {
  const statusOf = (world: SecureWorld) =>
    createClient(PilotService, createInMemoryTransport(world.pilot.routes)).listProxies({});

  test('is what configuration says of it: other labels are not believed, which status tells', async () => {
    const started = await start();
    const { galley } = started;
    const labels = { ...SIDECAR.labels, app: 'productpage' };
    await connect(started, await authority.issue(REVIEWS), { ...SIDECAR, labels }).has('CDS', 'BlackHoleCluster');
    await entries(galley, ENTRY);
    expect(galley.body('WorkloadEntry', ENTRY)).toMatchObject({
      spec: { labels: { app: 'reviews', version: 'v1', 'security.istio.io/tlsMode': 'istio' } },
    });
    expect((await statusOf(started)).claimAlarms).toMatchObject([
      { kind: ClaimAlarm_Kind.OVERRIDDEN, reason: expect.stringContaining('label app=productpage') as string },
    ]);
  });

  test.each<[string, Partial<Parameters<typeof authority.issue>[1]>, SidecarOptions]>([
    ['a workload that nobody described', {}, { ...SIDECAR, workload: 'unknown' }],
    ['another workload than that of its token', { grant: { tokenId: 'a', workload: 'reviews-v2' } }, SIDECAR],
  ])('is not %s: it is refused, nothing is registered, and status tells', async (_, options, sidecar) => {
    const started = await start();
    const client = connect(started, await authority.issue(REVIEWS, options), sidecar);
    expect(await client.end()).toMatchObject({ code: status.PERMISSION_DENIED });
    expect(started.galley.names('WorkloadEntry')).toEqual([]);
    expect((await statusOf(started)).claimAlarms).toMatchObject([{ kind: ClaimAlarm_Kind.REFUSED }]);
  });

  test('is not judged before pilot knows the mesh', async () => {
    const galley = new FakeGalley();
    galley.write(workloadGroup(SIDECAR));
    galley.isAway = true;
    const starting = startSecureWorld(authority, galley, { clock: systemClock, random: () => 0 }, { isWaiting: false });
    const started = await starting;
    opened.push(started.pilot);
    const client = connect(started, await authority.issue(REVIEWS));
    galley.isAway = false;
    await client.has('CDS', 'BlackHoleCluster');
  });

  test('changes with configuration: its proxy is told to connect again, or to go', async () => {
    const started = await start();
    const { galley } = started;
    const certificate = await authority.issue(REVIEWS);
    const first = connect(started, certificate);
    await entries(galley, ENTRY);
    galley.write(workloadGroup({ ...SIDECAR, labels: { app: 'changed' } }));
    expect(await first.end()).toMatchObject({ code: status.UNAVAILABLE });
    const second = connect(started, certificate);
    await second.has('CDS', 'BlackHoleCluster');
    while (!JSON.stringify(galley.body('WorkloadEntry', ENTRY) ?? null).includes('changed')) await tick();
    galley.write(workloadGroup({ ...SIDECAR, serviceAccount: 'somebody-else' }));
    expect(await second.end()).toMatchObject({ code: status.PERMISSION_DENIED });
    await entries(galley);
  });
});

describe('a workload is registered', () => {
  test('while its proxy is connected, with its labels, ports and identity', async () => {
    const started = await start();
    const { galley } = started;
    galley.write(
      'apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\nspec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}',
    );
    const client = connect(started, await authority.issue(REVIEWS));
    await entries(galley, ENTRY);
    client.subscribe('EDS', 'outbound|9080||reviews.default.svc.cluster.local');
    await client.has('EDS', 'outbound|9080||reviews.default.svc.cluster.local');
    client.close();
    await entries(galley);
  });

  test('once: a proxy that comes back in time changes nothing', async () => {
    const galley = new FakeGalley();
    const started = await start(galley, { graceMs: 2_000, orphanGraceMs: 60_000 });
    const certificate = await authority.issue(REVIEWS);
    const first = connect(started, certificate);
    await entries(galley, ENTRY);
    await first.has('CDS', 'BlackHoleCluster');
    const { version } = galley;
    first.close();
    const second = connect(started, certificate);
    await second.has('CDS', 'BlackHoleCluster');
    expect(galley.version).toBe(version);
  });

  test('no longer than its proxy says: one that ends its stream in order is out without any grace', async () => {
    const galley = new FakeGalley();
    const started = await start(galley, { graceMs: 3_600_000, orphanGraceMs: 3_600_000 });
    const client = connect(started, await authority.issue(REVIEWS));
    await entries(galley, ENTRY);
    client.leave();
    await entries(galley);
    expect(await client.end()).toBe('closed');
  });

  test('across a restart of pilot, which removes only those that stay away', async () => {
    const galley = new FakeGalley();
    const before = await start(galley);
    const certificate = await authority.issue(REVIEWS);
    const client = connect(before, certificate);
    await entries(galley, ENTRY);
    // Pilot goes first: the workload lives on.
    await before.pilot.close();
    client.close();
    const gone = galley.version;
    galley.write(
      'apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: stale, annotations: {flotilla.io/automatic: proxy}}\nspec: {address: 127.0.0.1}',
    );
    galley.write(
      'apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: by-hand}\nspec: {address: 127.0.0.1}',
    );
    const after = await start(galley, { graceMs: 20, orphanGraceMs: 300 });
    await connect(after, certificate).has('CDS', 'BlackHoleCluster');
    await entries(galley, 'default/by-hand', ENTRY);
    // Two writes here, one removal by pilot, and the new controller of the proxy that came back.
    expect(galley.version).toBe(gone + 4);
    expect(galley.controller(ENTRY)).toBe(after.pilot.id);
  });

  test('again at once when somebody else removes or changes its entry', async () => {
    const started = await start();
    const { galley } = started;
    const client = connect(started, await authority.issue(REVIEWS));
    galley.write(
      'apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\nspec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}',
    );
    await entries(galley, ENTRY);
    await client.has('CDS', 'outbound|9080||reviews.default.svc.cluster.local');
    galley.remove({ group: 'networking.istio.io', kind: 'WorkloadEntry', namespace: 'default', name: ENTRY.slice(8) });
    await entries(galley, ENTRY);
    const healed = galley.version;
    galley.write(
      `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: ${ENTRY.slice(8)}}\nspec: {address: 127.0.0.9}`,
    );
    // The change, and pilot's answer to it.
    while (galley.version < healed + 2) await tick();
    client.close();
    await entries(galley);
    expect(galley.version).toBe(healed + 3);
  });

  test('again when galley was away', async () => {
    const started = await start();
    started.galley.isAway = true;
    const client = connect(started, await authority.issue(REVIEWS));
    await client.has('CDS', 'BlackHoleCluster');
    started.galley.isAway = false;
    await entries(started.galley, ENTRY);
  });
});

test('a new certificate of pilot holds for the next connection, and the streams there are live on', async () => {
  const started = await start();
  const client = connect(started, await authority.issue(REVIEWS));
  await entries(started.galley, ENTRY);
  const next = await createTestAuthority('next');
  const both = `${authority.rootPem}${next.rootPem}`;
  started.identity.set({ ...(await next.issue(PILOT, { dnsNames: ['localhost'] })), rootsPem: both });
  const modern = new DeltaTestClient({
    address: started.pilot.xdsTls,
    node: sidecarNode(SIDECAR),
    channel: channelOf(await next.issue(REVIEWS), next.rootPem),
  });
  opened.push(modern);
  modern.subscribe('CDS');
  await modern.has('CDS', 'BlackHoleCluster');
  client.forget();
  started.galley.write(
    'apiVersion: v1\nkind: Service\nmetadata: {name: later}\nspec: {selector: {app: later}, ports: [{name: http, port: 80}]}',
  );
  await client.has('CDS', 'outbound|80||later.default.svc.cluster.local');
});
