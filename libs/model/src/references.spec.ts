import { describe, expect, it } from 'vitest';
import { findKind } from './kinds.ts';
import { decodeBody, isOfType, typedResource } from './mesh-resource.ts';
import type { AnyMeshResource } from './mesh-resource.ts';
import { delegatesOf, destinationsOf, gatewayId, gatewaysOf, hostsOf, isInMesh, selectorOf } from './references.ts';

function resource(kind: string, spec: Record<string, unknown>): AnyMeshResource {
  const group = kind === 'Service' ? '' : kind === 'PeerAuthentication' ? 'security.istio.io' : 'networking.istio.io';
  const entry = findKind(group, kind) ?? expect.fail(`${kind} is no kind`);
  // Written in this file, as JSON.
  const decoded = decodeBody(entry, JSON.parse(JSON.stringify({ spec })) as Parameters<typeof decodeBody>[1]);
  if (!decoded.ok) expect.fail(decoded.faults.map(({ message }) => message).join());
  return typedResource(
    {
      key: { group, kind, namespace: 'shop', name: 'a' },
      labels: {},
      annotations: {},
      origin: { source: 'f.yaml', line: 1, column: 1 },
      resourceVersion: 1,
      createdAtMs: 0,
    },
    entry,
    decoded.value,
  );
}

function virtualService(spec: Record<string, unknown>) {
  const made = resource('VirtualService', spec);
  return isOfType(made, 'VirtualService') ? made : expect.fail('another kind');
}

const to = (host: string, subset = '') => ({ destination: { host, subset } });

describe('hostsOf', () => {
  it.each<[string, string, Record<string, unknown>, readonly string[]]>([
    ['a Service is its own name', 'Service', { ports: [{ port: 80 }] }, ['a.shop.svc.mesh']],
    ['a ServiceEntry as written', 'ServiceEntry', { hosts: ['API.example', 'b'] }, ['API.example', 'b']],
    ['a DestinationRule in its namespace', 'DestinationRule', { host: 'cart' }, ['cart.shop.svc.mesh']],
    [
      'a VirtualService in lower case',
      'VirtualService',
      { hosts: ['Cart', '*.X.org'] },
      ['cart.shop.svc.mesh', '*.x.org'],
    ],
    ['another kind has none', 'Sidecar', {}, []],
  ])('%s', (_, kind, spec, hosts) => {
    expect(hostsOf(resource(kind, spec), 'mesh')).toEqual(hosts);
  });
});

it('finds every destination of a rule, of whatever protocol, mirrors included, with its place', () => {
  const rule = virtualService({
    hosts: ['a'],
    http: [{ route: [to('b', 'v1'), to('c.example')], mirror: { host: 'd' }, mirrors: [to('e')] }],
    tls: [{ route: [to('f')] }],
    tcp: [{ route: [to('g')] }],
  });
  const found = destinationsOf(rule, 'mesh');
  expect(found.map(({ writtenHost }) => writtenHost)).toEqual(['b', 'c.example', 'd', 'e', 'f', 'g']);
  expect(found[0]).toEqual({
    host: 'b.shop.svc.mesh',
    writtenHost: 'b',
    subset: 'v1',
    path: ['spec', 'http', 0, 'route', 0, 'destination'],
  });
  expect(found[1]?.host).toBe('c.example');
  expect(found[4]?.path).toEqual(['spec', 'tls', 0, 'route', 0, 'destination']);
});

it('finds the delegates of a rule, without a namespace in its own', () => {
  const http = [{ delegate: { name: 'x' } }, { route: [to('b')] }, { delegate: { name: 'y', namespace: 'other' } }];
  expect(delegatesOf(virtualService({ hosts: ['a'], http }))).toEqual([
    { id: 'shop/x', path: ['spec', 'http', 0, 'delegate'] },
    { id: 'other/y', path: ['spec', 'http', 2, 'delegate'] },
  ]);
});

it.each([
  ['front', 'shop/front'],
  ['./front', 'shop/front'],
  ['edge/front', 'edge/front'],
  ['front.edge', 'edge/front'],
  ['front.edge.svc.cluster.local', 'edge/front'],
  ['mesh', 'mesh'],
])('the gateway %s is %s, as Istio reads it', (name, id) => {
  expect(gatewayId(name, 'shop')).toBe(id);
});

it('the mesh is bound to when it is named, and when nothing is', () => {
  const bound = virtualService({ hosts: ['a'], gateways: ['front', 'mesh'] });
  expect(gatewaysOf(bound)).toEqual([{ id: 'shop/front', path: ['spec', 'gateways', 0] }]);
  expect(isInMesh(bound)).toBe(true);
  expect(isInMesh(virtualService({ hosts: ['a'] }))).toBe(true);
  expect(isInMesh(virtualService({ hosts: ['a'], gateways: ['front'] }))).toBe(false);
});

it.each<[string, string, Record<string, unknown>, Record<string, string> | null]>([
  ['a Service', 'Service', { selector: { app: 'a' }, ports: [{ port: 80 }] }, { app: 'a' }],
  ['a Service with an empty one', 'Service', { selector: {}, ports: [{ port: 80 }] }, null],
  ['a Gateway', 'Gateway', { selector: { istio: 'g' } }, { istio: 'g' }],
  ['a Gateway with none takes all', 'Gateway', {}, {}],
  ['a Sidecar', 'Sidecar', { workloadSelector: { labels: { app: 'a' } } }, { app: 'a' }],
  ['a Sidecar without', 'Sidecar', {}, null],
  ['a ServiceEntry', 'ServiceEntry', { hosts: ['a.b'], workloadSelector: { labels: { app: 'a' } } }, { app: 'a' }],
  [
    'a DestinationRule',
    'DestinationRule',
    { host: 'b', workloadSelector: { matchLabels: { app: 'a' } } },
    { app: 'a' },
  ],
  ['a PeerAuthentication', 'PeerAuthentication', { selector: { matchLabels: { app: 'a' } } }, { app: 'a' }],
  ['a PeerAuthentication with an empty one', 'PeerAuthentication', { selector: { matchLabels: {} } }, null],
  ['a VirtualService has none', 'VirtualService', { hosts: ['a'] }, null],
])('the selector of %s', (_, kind, spec, labels) => {
  expect(selectorOf(resource(kind, spec))).toEqual(labels);
});
