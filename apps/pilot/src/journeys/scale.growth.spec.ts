import { beforeAll, expect, test } from 'vitest';
import { keyFromWire, toMeshResource } from '@flotilla/model';
import { systemClock } from '@flotilla/runtime';
import { countWork } from '@flotilla/testing';
import { applyUpdate, type Mesh } from '@flotilla/translate';
import { meshOf, proxyOf, readResources, sidecarNode } from '@flotilla/translate/testing';
import { Sessions } from '../serve/sessions.ts';
import { openSessions, untilQuiet } from '../testing/in-process-proxy.ts';

const istio = (kind: string, name: string, spec: string) =>
  `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: { ${spec} }`;

const serviceEntry = (index: number, address = '10.0.0.1') =>
  istio(
    'ServiceEntry',
    `service-${index}`,
    `hosts: [service-${index}.default.svc.cluster.local], addresses: [240.0.${index >> 8}.${index & 255}], resolution: STATIC, ${index % 5 === 0 ? `workloadSelector: { labels: { app: service-${index} } },` : ''}
     ports: [${index % 3 === 0 ? `{ number: 90, name: tcp }` : `{ number: ${80 + (index % 40)}, name: http }`}],
     ${index % 5 === 0 ? '' : `endpoints: [{ address: ${address} }, { address: 10.0.0.2, labels: { version: v1 } }]`}`,
  );

const rules = (index: number, timeout = 1) => [
  istio(
    'DestinationRule',
    `service-${index}`,
    `host: service-${index}, subsets: [{ name: v1, labels: { version: v1 } }],
     trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-user } } }`,
  ),
  istio(
    'VirtualService',
    `service-${index}`,
    `hosts: [service-${index}], http: [{ route: [{ destination: { host: service-${index} } }], timeout: ${timeout}s }]`,
  ),
];

const workload = (index: number) =>
  istio('WorkloadEntry', `w-${index}`, `address: 10.1.0.1, labels: { app: service-${index} }`);

function documentsOf(services: number): string {
  const indexes = Array.from({ length: services }, (_, index) => index);
  return indexes
    .flatMap((index) => [serviceEntry(index), workload(index), ...(index % 2 === 0 ? rules(index) : [])])
    .join('\n---\n');
}

function after(mesh: Mesh, yaml: string): Mesh {
  const version = mesh.version + 1;
  const changes = readResources(yaml, version, 1_700_000_000_000).map((resource) => ({
    key: keyFromWire(resource.key),
    resource: toMeshResource(resource),
  }));
  return applyUpdate(mesh, { version, isSnapshot: false, changes });
}

/** Proxies that hold everything of a mesh of so many services. */
async function synced(services: number) {
  const sessions = new Sessions({ clock: systemClock });
  const { connect } = openSessions(sessions, systemClock);
  let mesh = meshOf(documentsOf(services));
  sessions.push(mesh, () => undefined);
  const nodes = ['default', 'other'].flatMap((namespace) =>
    ['a', 'b'].map((name) => proxyOf(sidecarNode({ workload: name, namespace, labels: { app: name } }))),
  );
  const proxies = nodes.map((node) => connect(node));
  await untilQuiet(proxies, 100_000);
  return {
    proxies,
    connect: () => connect(proxyOf(sidecarNode({ workload: 'c', labels: { app: 'c' } }))),
    async change(yaml: string) {
      mesh = after(mesh, yaml);
      sessions.push(mesh, () => undefined);
      await untilQuiet(proxies, 100_000);
    },
  };
}

const SIZE = 40;
// V8 does not count all of what it runs for the first time.
beforeAll(() =>
  countWork(async () => (await synced(SIZE)).change([serviceEntry(6, '10.0.0.8'), ...rules(4, 3)].join('\n---\n'))),
);

/** What the work of a line grows by when the services double; prepared, and then counted. */
async function growth(line: (services: number) => Promise<() => unknown>): Promise<number> {
  const smaller = await countWork(await line(SIZE));
  const larger = await countWork(await line(SIZE * 2));
  return larger / smaller;
}

// A sort of twice as much is a little more than twice the work.
const LINEAR = 2.2;
/** It goes by what has changed. */
const OF_THE_CHANGE = 1.3;

test.each<[string, number, (services: number) => Promise<() => unknown>]>([
  [
    'the mesh at the start',
    LINEAR,
    async (services) => {
      const documents = documentsOf(services);
      return () => meshOf(documents);
    },
  ],
  ['the first sync of all', LINEAR, async (services) => () => synced(services)],
  [
    'one more proxy of a class',
    LINEAR,
    async (services) => {
      const world = await synced(services);
      return () => untilQuiet([world.connect()], 100_000);
    },
  ],
  [
    'a change of one endpoint, to the last ACK',
    OF_THE_CHANGE,
    async (services) => {
      const world = await synced(services);
      // The first change makes indexes that the next ones find.
      await world.change(serviceEntry(6, '10.0.0.8'));
      return () => world.change(serviceEntry(6, '10.0.0.9'));
    },
  ],
  [
    'a change of one workload, to the last ACK',
    OF_THE_CHANGE,
    async (services) => {
      const world = await synced(services);
      await world.change(workload(5).replace('10.1.0.1', '10.1.0.3'));
      return () => world.change(workload(5).replace('10.1.0.1', '10.1.0.2'));
    },
  ],
  [
    'a change of one VirtualService, to the last ACK',
    LINEAR,
    async (services) => {
      const world = await synced(services);
      return () => world.change(rules(4, 2).join('\n---\n'));
    },
  ],
  [
    'a new service, to the last ACK',
    LINEAR,
    async (services) => {
      const world = await synced(services);
      return () => world.change(serviceEntry(services));
    },
  ],
])('%s grows no faster than the services', async (_name, most, line) => {
  expect(await growth(line)).toBeLessThan(most);
});
