import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AnyMeshResource, formatKey, keyFromWire, toMeshResource } from '@flotilla/model';
import { systemClock } from '@flotilla/runtime';
import { fuzz } from '@flotilla/testing';
import {
  applyUpdate,
  emptyMesh,
  generate,
  type Mesh,
  meshDefaults,
  type MeshSettings,
  ResourceCache,
  viewOf,
  withSettings,
} from '@flotilla/translate';
import { meshConfig, proxyOf, readResources, routerNode, sidecarNode } from '@flotilla/translate/testing';
import { Sessions } from '../serve/sessions.ts';
import { type InProcessProxy, openSessions, untilQuiet } from '../testing/in-process-proxy.ts';

/** What may stand in a mesh, each in some variants. */
const SLOTS: readonly (readonly string[])[] = [
  service('web', ['ports: [{ name: http, port: 80 }]', 'ports: [{ name: http, port: 80 }, { name: tcp, port: 90 }]']),
  service('db', ['ports: [{ name: tcp, port: 90 }], clusterIP: 10.1.1.1', 'ports: [{ name: tls, port: 443 }]']),
  service('hidden', ['ports: [{ name: http, port: 81 }]'], ', annotations: { networking.istio.io/exportTo: "." }'),
  istio('ServiceEntry', 'static', [
    'hosts: [ext.example], ports: [{ number: 80, name: http }], resolution: STATIC, endpoints: [{ address: 10.9.0.1 }]',
    'hosts: [ext.example], ports: [{ number: 80, name: http }], resolution: STATIC, endpoints: [{ address: 10.9.0.2, locality: r1/z1 }]',
    'hosts: [ext.example, more.example], ports: [{ number: 80, name: http }], resolution: STATIC, endpoints: [{ address: 10.9.0.1 }]',
  ]),
  istio('ServiceEntry', 'dns', [
    'hosts: [dns.example], ports: [{ number: 443, name: tls }], resolution: DNS, endpoints: [{ address: a.example }]',
    'hosts: [dns.example], ports: [{ number: 443, name: tls }], resolution: DNS, endpoints: [{ address: b.example }]',
  ]),
  istio('ServiceEntry', 'selecting', [
    'hosts: [own.example], ports: [{ number: 82, name: http }], resolution: STATIC, location: MESH_INTERNAL, workloadSelector: { labels: { app: web } }',
  ]),
  ...['a', 'b', 'c'].map((name) =>
    istio('WorkloadEntry', name, [
      `address: 10.0.0.1, labels: { app: web, version: v1 }, serviceAccount: ${name}`,
      `address: 10.0.0.2, labels: { app: web, version: v2 }, locality: r1/z1/s1`,
      `address: 10.0.0.3, labels: { app: db }`,
    ]),
  ),
  istio('DestinationRule', 'web', [
    'host: web, subsets: [{ name: v1, labels: { version: v1 } }]',
    'host: web, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }], trafficPolicy: { outlierDetection: { consecutive5xxErrors: 3 } }',
  ]),
  istio('DestinationRule', 'of-client', [
    'host: web, workloadSelector: { matchLabels: { app: client } }, trafficPolicy: { loadBalancer: { simple: RANDOM } }',
    'host: web, workloadSelector: { matchLabels: { app: client } }, trafficPolicy: { outlierDetection: {}, loadBalancer: { localityLbSetting: { failoverPriority: [version] } } }',
  ]),
  istio('DestinationRule', 'wide', [
    'host: "*.default.svc.cluster.local", trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-user } } }',
  ]),
  istio('VirtualService', 'web', [
    'hosts: [web], http: [{ route: [{ destination: { host: web } }], timeout: 1s }]',
    'hosts: [web], http: [{ match: [{ sourceLabels: { app: client } }], route: [{ destination: { host: web, subset: v1 } }] }, { route: [{ destination: { host: web } }] }]',
    'hosts: [outside.example], http: [{ route: [{ destination: { host: web } }] }]',
  ]),
  istio('VirtualService', 'db', [
    'hosts: [db], tcp: [{ route: [{ destination: { host: web, port: { number: 80 } } }] }]',
  ]),
  istio('VirtualService', 'in', [
    'hosts: ["*"], gateways: [gate], http: [{ route: [{ destination: { host: web } }] }]',
    'hosts: [in.example], gateways: [gate, mesh], http: [{ route: [{ destination: { host: ext.example } }] }]',
  ]),
  istio('Gateway', 'gate', [
    'selector: { istio: ingress }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]',
    'selector: { istio: ingress }, servers: [{ port: { number: 8080, name: http, protocol: HTTP }, hosts: [in.example] }]',
  ]),
  istio('Sidecar', 'all', [
    'egress: [{ hosts: ["./*"] }]',
    'egress: [{ hosts: ["*/ext.example", "./web.default.svc.cluster.local"] }]',
  ]),
  istio('Sidecar', 'of-client', [
    'workloadSelector: { labels: { app: client } }, egress: [{ port: { number: 80, protocol: HTTP, name: http }, hosts: ["*/*"] }, { hosts: ["./*"] }], outboundTrafficPolicy: { mode: REGISTRY_ONLY }',
  ]),
  [
    'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: all }\nspec: { mtls: { mode: STRICT } }',
    'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: all }\nspec: { selector: { matchLabels: { app: web } }, mtls: { mode: DISABLE } }',
  ],
  [
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\nspec: { template: { metadata: { labels: { app: web } }, spec: { serviceAccountName: of-web, containers: [{ name: web, ports: [{ name: http, containerPort: 8080 }] }] } } }',
  ],
];

function service(name: string, specs: readonly string[], metadata = ''): string[] {
  return specs.map(
    (spec) =>
      `apiVersion: v1\nkind: Service\nmetadata: { name: ${name}${metadata} }\nspec: { selector: { app: ${name} }, ${spec} }`,
  );
}

function istio(kind: string, name: string, specs: readonly string[]): string[] {
  return specs.map(
    (spec) => `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: { ${spec} }`,
  );
}

const SETTINGS: readonly MeshSettings[] = [
  {},
  { outboundTrafficPolicy: { mode: 0 }, accessLogFile: '/dev/stdout' },
].map((config) => ({
  config: meshDefaults(meshConfig(config)),
  trustDomain: 'cluster.local',
  domainSuffix: 'cluster.local',
  rootNamespace: 'istio-system',
  clusterId: 'Kubernetes',
}));

const PLACE = { region: 'r1', zone: 'z1', subZone: 's1' };
const NODES = [
  sidecarNode({ workload: 'client', labels: { app: 'client', version: 'v1' }, locality: PLACE }),
  sidecarNode({ workload: 'web', labels: { app: 'web' } }),
  sidecarNode({ workload: 'web-2', labels: { app: 'web', version: 'v2' } }),
  sidecarNode({ workload: 'far', namespace: 'other', labels: { app: 'client' }, ips: '10.0.0.1,fd00::1' }),
  sidecarNode({ workload: 'told', labels: { app: 'client' }, httpProxyPort: 15_080 }),
  routerNode({ workload: 'gate', labels: { istio: 'ingress' } }),
].map(proxyOf);

/** One change of a mesh: of some slots to a variant, or to nothing; of its settings; or all of it said anew. */
const step = fc.record({
  writes: fc.array(fc.record({ slot: fc.nat(SLOTS.length - 1), variant: fc.integer({ min: -1, max: 2 }) }), {
    minLength: 1,
    maxLength: 6,
  }),
  settings: fc.option(fc.nat(SETTINGS.length - 1), { freq: 6 }),
  isSnapshot: fc.boolean(),
});

test(
  'after any changes each proxy holds what a pilot would send that knows nothing but the outcome',
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async (steps) => {
        const sessions = new Sessions({ clock: systemClock });
        const { connect } = openSessions(sessions, systemClock);
        const proxies = NODES.map((node) => ({ node, proxy: connect(node) }));
        const resources = new Map<string, AnyMeshResource>();
        let settings = SETTINGS[0] as MeshSettings; // There is one.
        let mesh = emptyMesh(settings);
        for (const [index, { writes, settings: chosen, isSnapshot }] of steps.entries()) {
          const version = index + 1;
          const changes = writes.map(({ slot, variant }) => change(slot, variant, version));
          for (const { key, resource } of changes) {
            if (resource === null) resources.delete(formatKey(key));
            else resources.set(formatKey(key), resource);
          }
          mesh = applyUpdate(mesh, { version, isSnapshot, changes: isSnapshot ? all(resources) : changes });
          if (chosen !== null) {
            settings = SETTINGS[chosen] ?? settings;
            mesh = withSettings(mesh, settings);
          }
          sessions.push(mesh, () => undefined);
          await untilQuiet(proxies.map(({ proxy }) => proxy));
          const scratch = applyUpdate(emptyMesh(settings), { version, isSnapshot: true, changes: all(resources) });
          for (const { node, proxy } of proxies) expectHeld(proxy, scratch, node);
        }
        for (const { proxy } of proxies) proxy.close();
      }),
      fuzz(6, 7),
    );
  },
);

function change(slot: number, variant: number, version: number) {
  const variants = SLOTS[slot] ?? [];
  const [document] = readResources(variants[variant % variants.length] ?? variants[0] ?? '', version, 1_000 + slot);
  const resource = document === undefined ? null : toMeshResource(document);
  return { key: keyFromWire(document?.key), resource: variant < 0 ? null : resource };
}

function all(resources: ReadonlyMap<string, AnyMeshResource>) {
  return [...resources.values()].map((resource) => ({ key: resource.key, resource }));
}

function expectHeld(proxy: InProcessProxy, mesh: Mesh, node: (typeof NODES)[number]): void {
  const generation = { view: viewOf(mesh, node, null), node, cache: new ResourceCache() };
  for (const type of ['CDS', 'EDS', 'LDS', 'RDS'] as const) {
    const names = type === 'EDS' || type === 'RDS' ? proxy.asked[type] : new Set<string>();
    const expected = generate(type, generation, { names, unanswered: new Set() });
    const versions = [...expected.values()].map(({ name, version }) => `${name} ${version}`);
    const held = [...proxy.held[type]].map(([name, { version }]) => `${name} ${version}`);
    expect(held.sort(), `${type} of ${node.id}`).toEqual(versions.sort());
  }
}
