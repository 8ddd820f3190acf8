import { expect, test } from 'vitest';
import { keyFromWire, toMeshResource } from '@flotilla/model';
import { readResources } from '../testing/documents.ts';
import { meshOf } from '../testing/translation.ts';
import { applyUpdate, type Mesh } from './mesh.ts';
import { MESH_PARTS } from './parts.ts';

const SERVICE = '{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, name: http}]}}';
const WORKLOAD = '{metadata: {labels: {app: a}}, spec: {containers: [{name: a}]}}';

const istio = (kind: string, spec: string, group = 'networking'): string =>
  `{apiVersion: ${group}.istio.io/v1, kind: ${kind}, metadata: {name: new}, spec: ${spec}}`;

function after(mesh: Mesh, yaml: string): Mesh {
  const changes = readResources(yaml, 2, 0).map((resource) => ({
    key: keyFromWire(resource.key),
    resource: toMeshResource(resource) ?? expect.fail('means nothing'),
  }));
  return applyUpdate(mesh, { version: 2, isSnapshot: false, changes });
}

test.each<[string, readonly string[]]>([
  [istio('VirtualService', '{hosts: [a]}'), ['virtualServices']],
  [istio('DestinationRule', '{host: a}'), ['destinationRules']],
  [istio('Gateway', '{servers: []}'), ['gateways']],
  [istio('Sidecar', '{}'), ['sidecars']],
  [istio('PeerAuthentication', '{mtls: {mode: STRICT}}', 'security'), ['peerAuthentications', 'registry']],
  [istio('ServiceEntry', '{hosts: [b.example], ports: [{number: 80, name: http}]}'), ['registry']],
  [istio('WorkloadEntry', '{address: 10.0.0.1}'), ['workloadEntries', 'registry']],
  [istio('WorkloadGroup', '{template: {serviceAccount: a}}'), ['bindings']],
  [
    `{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {app: a}}, spec: {containers: [{name: a}]}}`,
    ['bindings', 'registry'],
  ],
  [
    `{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: ${WORKLOAD}}}`,
    ['bindings', 'registry'],
  ],
])('%s makes anew what is made of it, and nothing else', (yaml, changed) => {
  const mesh = meshOf(SERVICE);
  const next = after(mesh, yaml);
  const before = new Map<string, unknown>(Object.entries(mesh));
  const now = new Map<string, unknown>(Object.entries(next));
  expect(Object.keys(MESH_PARTS).filter((name) => now.get(name) !== before.get(name))).toEqual(changed);
});
