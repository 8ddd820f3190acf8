import { afterEach, expect, test } from 'vitest';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { SyncState } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import type { XdsShortName } from '@flotilla/xds';
import { meshConfig, sidecarNode, type SidecarOptions } from '@flotilla/translate/testing';
import { MeshConfig_AccessLogEncoding } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { FakeGalley } from '../testing/fake-galley.ts';
import { startWorld, type World } from '../testing/world.ts';
import { DeltaTestClient } from '../testing/delta-client.ts';
import { SotwTestClient } from '../testing/sotw-client.ts';
import type { TestClientOptions } from '../testing/xds-stream.ts';

const opened: { close(): void | Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

const REVIEWS = 'outbound|9080||reviews.default.svc.cluster.local';
const REVIEWS_V1 = 'outbound|9080|v1|reviews.default.svc.cluster.local';
const REVIEWS_V2 = 'outbound|9080|v2|reviews.default.svc.cluster.local';

const service = (name: string, namespace = 'default', exportTo = '*') => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace}, annotations: { networking.istio.io/exportTo: "${exportTo}" } }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 9080 }] }`;

const workload = (name: string, app: string, port: number) => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name} }
spec: { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: ${app}, version: v1 }, serviceAccount: ${app} }`;

const subsets = (...names: string[]) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, subsets: [${names.map((name) => `{ name: ${name}, labels: { version: ${name} } }`).join()}] }`;

const route = (subset: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews, subset: ${subset} } }] }] }`;

async function world(...documents: string[]): Promise<World> {
  const started = await startWorld(documents.join('\n---'));
  opened.push(started);
  await started.pilot.ready;
  return started;
}

/** A delta client that has subscribed to everything a sidecar asks for. */
async function connect(
  { pilot }: World,
  sidecar: SidecarOptions = {},
  options: Partial<TestClientOptions> = {},
): Promise<DeltaTestClient> {
  const client = new DeltaTestClient({ address: pilot.xds, node: sidecarNode(sidecar), ...options });
  opened.push(client);
  client.subscribe('CDS');
  client.subscribe('EDS', REVIEWS, REVIEWS_V1);
  client.subscribe('LDS');
  client.subscribe('RDS', '9080');
  if (options.versions === undefined) await client.has('RDS', '9080');
  return client;
}

/** Waits until a service that everybody sees has arrived: whatever was written before it has been dealt with. */
async function barrier({ galley }: World, ...clients: DeltaTestClient[]): Promise<void> {
  const name = `barrier-${galley.version}`;
  galley.write(service(name, 'barrier'));
  await Promise.all(clients.map((client) => client.has('CDS', `outbound|9080||${name}.barrier.svc.cluster.local`)));
  await Promise.all(clients.map((client) => routed(client, name)));
}

function routed(client: DeltaTestClient, name: string): Promise<void> {
  return client.until(() => {
    const routes = client.get('RDS', '9080', RouteConfigurationSchema);
    return routes.virtualHosts.some((host) => host.name === `${name}.barrier.svc.cluster.local:9080`);
  }, `the route to ${name}`);
}

/** Arrivals that are not about barriers. */
function arrivals(client: DeltaTestClient): string[] {
  return client.arrivals.filter((line) => !line.includes('barrier') && line !== 'RDS +9080');
}

function destinationOf(client: DeltaTestClient): string | undefined {
  const host = client
    .get('RDS', '9080', RouteConfigurationSchema)
    .virtualHosts.find(({ name }) => name === 'reviews.default.svc.cluster.local:9080');
  const action = host?.routes[0]?.action;
  return action?.case === 'route' ? String(action.value.clusterSpecifier.value) : undefined;
}

test('a change is sent to the proxies it concerns, and no message to the others', async () => {
  const mesh = await world(service('reviews'), service('own', 'other', '.'));
  const near = await connect(mesh);
  const far = await connect(mesh, { namespace: 'other' });
  near.forget();
  far.forget();
  mesh.galley.write(service('more', 'other', '.'));
  await far.has('CDS', 'outbound|9080||more.other.svc.cluster.local');
  await barrier(mesh, near, far);
  expect(arrivals(far)).toEqual(['CDS +outbound|9080||more.other.svc.cluster.local']);
  expect(arrivals(near)).toEqual([]);
});

test('an endpoint that comes or goes changes the endpoints of its clusters alone', async () => {
  const mesh = await world(service('reviews'), subsets('v1', 'v2'), workload('fixed', 'reviews', 1));
  const client = await connect(mesh);
  client.subscribe('EDS', REVIEWS_V2);
  await client.has('EDS', REVIEWS_V2);
  client.forget();
  mesh.galley.write(workload('reviews-1', 'reviews', 21_001));
  await client.until(() => client.arrivals.length > 0, 'the endpoint');
  await barrier(mesh, client);
  expect(arrivals(client)).toEqual([`EDS +${REVIEWS} +${REVIEWS_V1}`]);
  const { endpoints } = client.get('EDS', REVIEWS_V1, ClusterLoadAssignmentSchema);
  expect(endpoints[0]?.lbEndpoints.length).toBe(2);
});

test('changes that come together go out together', async () => {
  const mesh = await world(service('reviews'), subsets('v1', 'v2'), route('v1'));
  const client = await connect(mesh);
  client.forget();
  for (let index = 0; index < 50; index++) mesh.galley.write(route(index % 2 === 0 ? 'v1' : 'v2'));
  await client.until(() => destinationOf(client) === REVIEWS_V2, 'the last route');
  expect(client.arrivals.length).toBeLessThan(10);
});

test('a route that needs a new cluster is sent when the cluster is taken, and the old cluster goes after that', async () => {
  const mesh = await world(service('reviews'), subsets('v1'), route('v1'));
  const client = await connect(mesh);
  client.forget();
  mesh.galley.write([subsets('v2'), route('v2')].join('\n---'));
  await client.until(() => client.resources.get('CDS')?.has(REVIEWS_V1) === false, 'the removal');
  expect(client.arrivals.filter((line) => !line.startsWith('EDS'))).toEqual([
    // Nothing refers to v2 before it is there, and nothing to v1 when it goes.
    `CDS +${REVIEWS_V2}`,
    'RDS +9080',
    `CDS -${REVIEWS_V1}`,
  ]);
  expect(destinationOf(client)).toBe(REVIEWS_V2);
});

test('the same over state of the world: the cluster stays in the set until the route is gone', async () => {
  const mesh = await world(service('reviews'), subsets('v1'), route('v1'));
  const client = new SotwTestClient({ address: mesh.pilot.xds, node: sidecarNode() });
  opened.push(client);
  client.subscribe('CDS');
  client.subscribe('LDS');
  client.subscribe('RDS', '9080');
  await client.until(() => client.resources.has('RDS'), 'the routes');
  client.forget();
  mesh.galley.write([subsets('v2'), route('v2')].join('\n---'));
  await client.until(() => client.resources.get('CDS')?.includes(REVIEWS_V1) === false, 'the removal');
  const lines = client.arrivals.map((line) => [
    line.slice(0, 3),
    line.includes(`+${REVIEWS_V1}`),
    line.includes(`+${REVIEWS_V2}`),
  ]);
  expect(lines).toEqual([
    ['CDS', true, true],
    ['RDS', false, false],
    ['CDS', false, true],
  ]);
});

test('a proxy that comes back with what it had is sent nothing, and counts as in sync', async () => {
  const mesh = await world(service('reviews'), subsets('v1'), route('v1'), workload('reviews-0', 'reviews', 21_000));
  const first = await connect(mesh);
  const { versions } = first;
  first.close();
  const again = await connect(mesh, {}, { versions });
  const names = ['CDS', 'EDS', 'LDS', 'RDS'] as const satisfies readonly XdsShortName[];
  // Nothing arrives to wait for: status says when the four requests were dealt with.
  for (;;) {
    const types = (await mesh.proxies()).find((proxy) => proxy.types.length === names.length)?.types ?? [];
    if (types.length > 0 && types.every((type) => type.nonceSent === '' && type.state === SyncState.SYNCED)) {
      expect(types.map((type) => type.versionAcked)).toEqual(names.map(() => BigInt(mesh.galley.version)));
      break;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(again.arrivals).toEqual([]);
  mesh.galley.write(workload('reviews-1', 'reviews', 21_001));
  await again.until(() => again.arrivals.length > 0, 'the change');
  expect(again.arrivals[0]).toBe(`EDS +${REVIEWS} +${REVIEWS_V1}`);
});

test('a pilot that starts anew calls the same resources the same', async () => {
  const documents = [service('reviews'), subsets('v1'), route('v1'), workload('reviews-1', 'reviews', 1)];
  const before = await connect(await world(...documents));
  const after = await connect(await world(...documents));
  expect(after.versions).toEqual(before.versions);
});

test('a refusal is shown with its reason until the proxy takes what comes next', async () => {
  const mesh = await world(service('reviews'), subsets('v1', 'v2'), route('v1'));
  let reason: string | null = null;
  const client = await connect(mesh, {}, { judge: (type) => (type === 'RDS' ? reason : null) });
  reason = 'no such thing';
  const status = async () => {
    const types = (await mesh.proxies())[0]?.types ?? [];
    return types.find((type) => type.typeUrl.endsWith('RouteConfiguration'));
  };
  mesh.galley.write(route('v2'));
  while ((await status())?.state !== SyncState.REFUSED) await new Promise((resolve) => setImmediate(resolve));
  expect(await status()).toMatchObject({ errorDetail: 'no such thing', versionAcked: 1n, versionSent: 2n });
  expect(destinationOf(client)).toBe(REVIEWS_V1);
  reason = null;
  // Back to what the proxy still has: nothing to send, nothing refused.
  mesh.galley.write(route('v1'));
  while ((await status())?.state !== SyncState.SYNCED) await new Promise((resolve) => setImmediate(resolve));
  mesh.galley.write(route('v2'));
  await client.until(() => destinationOf(client) === REVIEWS_V2, 'the route to v2');
});

test('nothing is answered before the first snapshot of the mesh is in', async () => {
  const galley = new FakeGalley();
  galley.isAway = true;
  const mesh = await startWorld(service('reviews'), {}, galley);
  opened.push(mesh);
  const client = new DeltaTestClient({ address: mesh.pilot.xds, node: sidecarNode() });
  opened.push(client);
  client.subscribe('CDS');
  while ((await mesh.proxies()).length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(client.arrivals).toEqual([]);
  galley.isAway = false;
  await client.has('CDS', REVIEWS);
  expect(mesh.pilot.version()).toBe(1);
});

test('another mesh configuration is pushed while pilot runs: to whom it changes something, and what it changes', async () => {
  const mesh = await world(service('reviews'));
  const client = await connect(mesh);
  client.forget();
  mesh.pilot.setMeshConfig(meshConfig({}));
  mesh.pilot.setMeshConfig(meshConfig({ defaultHttpRetryPolicy: { attempts: 7 } }));
  await client.until(() => client.arrivals.length > 0, 'the change');
  await barrier(mesh, client);
  expect(client.arrivals[0]).toBe('RDS +9080');
  expect(arrivals(client)).toEqual([]);
  const host = client
    .get('RDS', '9080', RouteConfigurationSchema)
    .virtualHosts.find(({ name }) => name === 'reviews.default.svc.cluster.local:9080');
  const action = host?.routes[0]?.action;
  expect(action?.case === 'route' ? action.value.retryPolicy?.numRetries : null).toBe(7);
});

test('a mesh configuration that cannot be used changes nothing', async () => {
  const mesh = await world(service('reviews'));
  const client = await connect(mesh);
  client.forget();
  const broken = meshConfig({ accessLogFormat: 'text', accessLogEncoding: MeshConfig_AccessLogEncoding.JSON });
  expect(() => mesh.pilot.setMeshConfig(broken)).toThrow('is not JSON');
  await barrier(mesh, client);
  expect(arrivals(client)).toEqual([]);
});
