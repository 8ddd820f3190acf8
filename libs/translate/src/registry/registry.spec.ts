import { describe, expect, test } from 'vitest';
import { keyFromWire, toMeshResource } from '@flotilla/model';
import { applyUpdate, type Mesh } from '../mesh/mesh.ts';
import { readResources } from '../testing/documents.ts';
import { meshOf } from '../testing/translation.ts';

const service = (fields = '', ports = '[{ name: http, port: 80, targetPort: 8080 }]') => `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: ${ports} ${fields} }`;

const entry = (name: string, spec: string, annotations = '{}') => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, annotations: ${annotations} }
spec: { address: 10.0.0.1, labels: { app: web }, ${spec} }`;

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { serviceAccountName: of-deployment, containers: [{ name: web, ports: [{ name: main, containerPort: 9999 }] }] }`;

/** `address:port` of each endpoint of the service's only port. */
function endpointsOf(...documents: string[]): string[] {
  const { registry } = meshOf(documents.join('\n---'));
  const [found] = registry.services;
  const [port] = found?.ports ?? [];
  const endpoints = registry.endpoints.get(found?.id ?? '')?.byPort.get(port?.number ?? 0) ?? [];
  return endpoints.map((endpoint) => `${endpoint.address}:${endpoint.port}`);
}

describe('the port of an endpoint', () => {
  test.each<[string, string[], string[]]>([
    ['is the target port', [service(), entry('a', '')], ['10.0.0.1:8080']],
    ['is what the entry says for the port name', [service(), entry('a', 'ports: { http: 1 }')], ['10.0.0.1:1']],
    [
      'is where the target port really is',
      [service(), entry('a', 'ports: { main: 1 }', '{ flotilla.io/target-ports: "8080=2" }')],
      ['10.0.0.1:2'],
    ],
    [
      'is that of the container port with the name',
      [service('', '[{ name: http, port: 80, targetPort: main }]'), deployment, entry('a', '')],
      ['10.0.0.1:9999'],
    ],
    [
      'is none with a Unix socket',
      [service(), entry('a', '').replace('10.0.0.1', 'unix:///run/a.sock')],
      ['/run/a.sock:0'],
    ],
    ['is not there without the labels', [service(), entry('a', '').replace('app: web', 'app: other')], []],
  ])('%s', (_name, documents, expected) => {
    expect(endpointsOf(...documents)).toEqual(expected);
  });
});

test('a service accepts the identities of what may serve it, running or not', () => {
  const { registry } = meshOf([service(), deployment, entry('a', 'serviceAccount: of-entry')].join('\n---'));
  expect(registry.services[0]?.subjectAltNames).toEqual([
    'spiffe://cluster.local/ns/default/sa/of-deployment',
    'spiffe://cluster.local/ns/default/sa/of-entry',
  ]);
});

describe('what did not change is the same object', () => {
  const before = meshOf([service(), deployment, entry('a', 'serviceAccount: of-deployment')].join('\n---'));
  const after = (yaml: string): Mesh =>
    applyUpdate(before, {
      version: 2,
      isSnapshot: false,
      changes: readResources(yaml, 2, 0).map((resource) => ({
        key: keyFromWire(resource.key),
        resource: toMeshResource(resource),
      })),
    });
  const id = 'Service/default/web';

  test.each<[string, string, boolean, boolean]>([
    ['another workload of the same identity', entry('b', 'serviceAccount: of-deployment'), true, false],
    ['a workload of another identity', entry('b', 'serviceAccount: other'), false, false],
    ['a workload of another service', entry('b', '').replace('app: web', 'app: db'), true, true],
    ['the same document again', entry('a', 'serviceAccount: of-deployment'), true, true],
  ])('%s', (_name, yaml, isSameService, isSameEndpoints) => {
    const { registry } = after(yaml);
    expect(registry.services[0] === before.registry.services[0]).toBe(isSameService);
    expect(registry.endpoints.get(id) === before.registry.endpoints.get(id)).toBe(isSameEndpoints);
  });
});

describe('where a service and its endpoints are', () => {
  const topology = (labels: string) =>
    entry('a', '').replace('labels: { app: web }', `labels: { app: web, ${labels} }`);
  test.each<[string, string, { readonly cluster: string; readonly network: string }]>([
    ['in the only cluster, and no network of a name', entry('a', ''), { cluster: 'Kubernetes', network: '' }],
    ['in the network of the entry', entry('a', 'network: n1'), { cluster: 'Kubernetes', network: 'n1' }],
    [
      'in those that the labels name',
      topology('topology.istio.io/network: n2, topology.istio.io/cluster: c2'),
      { cluster: 'c2', network: 'n2' },
    ],
  ])('%s', (_name, workload, expected) => {
    const { registry } = meshOf([service(), workload].join('\n---'));
    expect(registry.endpoints.get('Service/default/web')?.byPort.get(80)?.[0]).toMatchObject(expected);
    expect(registry.services[0]).toMatchObject({ cluster: 'Kubernetes', network: '' });
  });
});
