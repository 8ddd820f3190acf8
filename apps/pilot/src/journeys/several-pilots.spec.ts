import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createInProcessMembership, type Membership } from '@flotilla/bus';
import { createTestAuthority, type TestAuthority } from '@flotilla/spiffe/testing';
import type { WorkloadCertificate } from '@flotilla/spiffe';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import type { SidecarOptions } from '@flotilla/translate/testing';
import type { DeltaTestClient } from '../testing/delta-client.ts';
import { FakeGalley } from '../testing/fake-galley.ts';
import { connectProxy, type SecureWorld, startSecureWorld } from '../testing/secure-world.ts';

const REVIEWS: SidecarOptions = {
  workload: 'reviews-v1',
  serviceAccount: 'bookinfo-reviews',
  labels: { app: 'reviews' },
  ports: [
    { name: 'http', port: 9080, bindAddress: '127.0.0.1', bindPort: 21_901, appAddress: '127.0.0.1', appPort: 1 },
  ],
};
const ENTRY = 'default/reviews-v1-127-0-0-1-21901';
const CLIENT: SidecarOptions = { workload: 'client', serviceAccount: 'client' };
const CLUSTER = 'outbound|9080||reviews.default.svc.cluster.local';

interface Replica extends SecureWorld {
  readonly membership: Membership;
  /** A client of the mesh that is connected here, with the number of endpoints that each push told it of. */
  readonly observer: DeltaTestClient;
  endpoints(): number;
}

let authority: TestAuthority;
let certificates: { readonly reviews: WorkloadCertificate; readonly client: WorkloadCertificate };
beforeAll(async () => {
  authority = await createTestAuthority();
  const issue = (serviceAccount: string) =>
    authority.issue({ trustDomain: 'cluster.local', namespace: 'default', serviceAccount });
  certificates = { reviews: await issue('bookinfo-reviews'), client: await issue('client') };
});

let galley: FakeGalley;
let present: Set<string>;
const opened: { close(): void | Promise<void> }[] = [];
beforeEach(() => {
  present = new Set();
  galley = new FakeGalley();
  galley.write(
    'apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\nspec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}',
  );
});
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

// Longer than a reconnect takes where the machine is busy with other things.
const registration = { graceMs: 900, orphanGraceMs: 2_000 };

async function replica(pilotId: string): Promise<Replica> {
  const membership = createInProcessMembership(present);
  const world = await startSecureWorld(authority, galley, { pilotId, membership, registration });
  opened.push(world.pilot, membership);
  // Its own entry comes and goes as well, and means nothing here.
  const observer = connectProxy(world, certificates.client, CLIENT);
  opened.push(observer);
  observer.subscribe('EDS', CLUSTER);
  await observer.has('EDS', CLUSTER);
  const endpoints = () =>
    observer.get('EDS', CLUSTER, ClusterLoadAssignmentSchema).endpoints.flatMap((locality) => locality.lbEndpoints)
      .length;
  return { ...world, membership, observer, endpoints };
}

/** A proxy of reviews that is connected, and has been told so. */
async function connect(to: Replica): Promise<DeltaTestClient> {
  const client = connectProxy(to, certificates.reviews, REVIEWS);
  opened.push(client);
  await client.has('CDS', 'BlackHoleCluster');
  return client;
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

const controlledBy = (id: string) => until(() => galley.controller(ENTRY) === id);
const everywhere = (replicas: readonly Replica[], count: number) =>
  Promise.all(
    replicas.map((each) =>
      each.observer.until(() => each.endpoints() === count, `${count} endpoints at ${each.pilot.id}`),
    ),
  );
/** Nothing but the passing of real time shows that nothing happens: a proxy that comes and goes takes long enough. */
async function passGrace(at: Replica): Promise<void> {
  const short = { ...CLIENT, workload: `short-${at.pilot.id}` };
  const client = connectProxy(at, certificates.client, short);
  await client.has('CDS', 'BlackHoleCluster');
  await until(() => galley.names('WorkloadEntry').some((name) => name.includes(short.workload)));
  client.close();
  await until(() => galley.removed.some((name) => name.includes(short.workload)));
}
const removals = () => galley.removed.filter((name) => name === ENTRY);

describe('the endpoint of a proxy that two pilots could serve', { timeout: 30_000 }, () => {
  test('stays while the proxy moves to the other, and goes after it', async () => {
    const [a, b] = [await replica('a'), await replica('b')];
    const first = await connect(a);
    await controlledBy('a');
    await everywhere([a, b], 1);
    for (const each of [a, b]) each.observer.forget();
    first.close();
    const second = await connect(b);
    await controlledBy('b');
    await passGrace(a);
    expect(removals()).toEqual([]);
    // Who controls an entry is no news to any proxy.
    expect([...a.observer.arrivals, ...b.observer.arrivals].filter((text) => text.includes('EDS'))).toEqual([]);
    second.close();
    await everywhere([a, b], 0);
    expect(removals()).toEqual([ENTRY]);
  });

  test('stays while the proxy moves to and fro faster than pilots hear of it', async () => {
    const [a, b] = [await replica('a'), await replica('b')];
    let current = await connect(a);
    await controlledBy('a');
    for (const to of [b, a, b, a, b, b, a]) {
      current.close();
      current = await connect(to);
    }
    await controlledBy('a');
    await Promise.all([passGrace(a), passGrace(b)]);
    expect(removals()).toEqual([]);
    expect(galley.controller(ENTRY)).toBe('a');
    current.close();
    await everywhere([a, b], 0);
  });

  test('stays when one pilot still holds a stream that the proxy gave up long ago', async () => {
    const [a, b] = [await replica('a'), await replica('b')];
    const halfOpen = await connect(a);
    await controlledBy('a');
    const current = await connect(b);
    await controlledBy('b');
    halfOpen.close();
    await Promise.all([passGrace(a), passGrace(b)]);
    expect(removals()).toEqual([]);
    expect(galley.controller(ENTRY)).toBe('b');
    current.close();
    await everywhere([a, b], 0);
  });

  test('stays when its pilot is killed and the proxy goes to another; what nobody comes back for goes', async () => {
    const [a, b] = [await replica('a'), await replica('b')];
    await connect(a);
    await controlledBy('a');
    const lost = connectProxy(a, certificates.client, { ...CLIENT, workload: 'lost' });
    opened.push(lost);
    await until(() => galley.names('WorkloadEntry').includes('default/lost-127-0-0-1'));
    // Its streams are cut, its registration does no more, and others no longer see it.
    await a.pilot.close();
    await a.membership.close();
    const second = await connect(b);
    await controlledBy('b');
    await until(() => galley.removed.includes('default/lost-127-0-0-1'));
    expect(removals()).toEqual([]);
    expect(b.endpoints()).toBe(1);
    second.close();
    await everywhere([b], 0);
  });
});
