import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { routerNode, sidecarNode, type SidecarOptions } from '../testing/nodes.ts';
import { connectionTo, trafficOf } from '../testing/traffic.ts';
import { meshOf, proxyOf, translate, type Translation } from '../testing/translation.ts';

const GOLDEN = join(import.meta.dirname, '..', '..', 'golden');
const readMesh = (name: string) => meshOf(readFileSync(join(GOLDEN, name, 'mesh.yaml'), 'utf8'));
const sidecar = (mesh: string, options: SidecarOptions = {}): Translation =>
  translate(readMesh(mesh), proxyOf(sidecarNode(options)));
const gateway = (mesh: string, options: SidecarOptions): Translation =>
  translate(readMesh(mesh), proxyOf(routerNode(options)));

type Row = readonly [request: string, ends: string, headers?: Readonly<Record<string, string>>];

function table(name: string, translation: () => Translation, routes: string, rows: readonly Row[]): void {
  describe(name, () => {
    const traffic = trafficOf(translation().routes(routes));
    it.each(rows.map(([request, ends, headers = {}]) => [request, ends, headers] as const))(
      '%s -> %s',
      (request, ends, headers) => {
        expect(traffic.ends(request, headers)).toBe(ends);
      },
    );
  });
}

const reviews = (subset: string) => `outbound|9080|${subset}|reviews.default.svc.cluster.local`;

table('a canary, redirected', () => sidecar('canary'), '9080', [
  ['GET http://reviews/', `90 % ${reviews('v1')}, 10 % ${reviews('v2')}`],
  ['GET http://reviews.default.svc.cluster.local:9080/x', `90 % ${reviews('v1')}, 10 % ${reviews('v2')}`],
  ['GET http://reviews/', reviews('v2'), { 'end-user': 'jason' }],
  ['GET http://ratings.other/', 'outbound|9080||ratings.other.svc.cluster.local'],
  ['GET http://ratings/', 'PassthroughCluster'],
  ['GET http://elsewhere.example/', 'PassthroughCluster'],
]);

table('a canary, through the HTTP proxy port', () => sidecar('canary', { httpProxyPort: 15_080 }), 'http_proxy', [
  ['GET http://reviews:9080/', `90 % ${reviews('v1')}, 10 % ${reviews('v2')}`],
  ['GET http://ratings.other/', 'outbound|9080||ratings.other.svc.cluster.local'],
  ['GET http://ratings.other:9081/', 'outbound|9081||ratings.other.svc.cluster.local'],
  ['GET http://ratings.other:9999/', '502'],
  ['GET http://elsewhere.example/', '502'],
]);

table('delegated rules', () => sidecar('delegates', { namespace: 'front' }), '80', [
  ['GET http://web/cart/add', 'outbound|80||cart.shop.svc.cluster.local'],
  ['GET http://web/cart', 'outbound|80||cart.shop.svc.cluster.local'],
  ['GET http://web/other', 'outbound|80||web.front.svc.cluster.local'],
  ['GET http://web/users', 'outbound|80||web.front.svc.cluster.local', { 'x-tenant': 'a' }],
  ['GET http://web/users', 'outbound|80||users.people.svc.cluster.local', { 'x-tenant': 'a', 'x-beta': 'yes' }],
  ['GET http://web/hidden', 'outbound|80||web.front.svc.cluster.local'],
]);

const web = 'outbound|80||web.default.svc.cluster.local';
table('HTTP rules', () => sidecar('http-rules'), '80', [
  ['GET http://web/exact?canary=true', `${web} as other/new?canary=true`, { 'x-any': '1' }],
  ['GET http://web/exact', 'no route', { 'x-any': '1' }],
  ['POST http://web/exact?canary=true', 'no route', { 'x-any': '1' }],
  ['GET http://web/exact?canary=true', 'no route', { 'x-any': '1', 'x-not': 'a' }],
  ['GET http://web/old/x?y', '308 https://elsewhere/new?y'],
  ['GET http://web/faulty', web],
  ['GET http://web/s/anything?q=1', `${web} as web/fixed?q=1`],
]);

const page = 'outbound|9080||productpage.default.svc.cluster.local';
table('a gateway', () => gateway('gateway', { labels: { istio: 'ingressgateway' } }), 'http.8080', [
  ['GET http://shop.example.com/', page],
  ['GET http://shop.example.com:8080/', page],
  ['GET http://shop.example.com/login/x', '301 http://shop.example.com:8080/signin'],
  ['GET http://api.example.org/', page],
  ['GET http://any.example.org/login', '301 http://any.example.org:8080/signin'],
  ['GET http://any.example.org/', 'no route'],
  ['GET http://closed.example.com/', 'no route'],
]);

table('egress, from the sidecar', () => sidecar('egress-gateway'), '80', [
  ['GET http://news.example.com/', 'outbound|80||egress.default.svc.cluster.local'],
]);
table('egress, at the gateway', () => gateway('egress-gateway', { labels: { istio: 'egressgateway' } }), 'http.80', [
  ['GET http://news.example.com/', 'outbound|80||news.example.com'],
]);

describe('connections to a workload with modes by port', () => {
  const listener = sidecar('mutual-tls', { labels: { app: 'reviews' } }).listener('virtualInbound');
  const mesh = { transport: 'tls', applicationProtocols: ['istio'] };
  it.each<[string, Parameters<typeof connectionTo>[1], string]>([
    ['STRICT, mesh TLS', { destinationPort: 9080, ...mesh }, 'tls, http by inbound|9080||'],
    ['STRICT, plaintext', { destinationPort: 9080 }, 'closed'],
    ['PERMISSIVE TCP, mesh TLS', { destinationPort: 7000, ...mesh }, 'tls, bytes to inbound|7000||'],
    ['PERMISSIVE TCP, plaintext', { destinationPort: 7000 }, 'bytes to inbound|7000||'],
    ['PERMISSIVE TCP, TLS of its own', { destinationPort: 7000, transport: 'tls' }, 'bytes to inbound|7000||'],
    ['DISABLE', { destinationPort: 9082 }, 'http by inbound|9082||'],
    ['nobody declared the port, plaintext', { destinationPort: 1234 }, 'closed'],
    ['to the listener itself', { destinationPort: 15_006 }, 'bytes to BlackHoleCluster'],
  ])('%s', (_, facts, ends) => {
    expect(connectionTo(listener, facts)).toBe(ends);
  });
});

describe('connections from a redirected workload', () => {
  const redirected = sidecar('redirected-sidecar', { labels: { app: 'web' } });
  const http = { applicationProtocols: ['http/1.1'] };
  it.each<[string, string, Parameters<typeof connectionTo>[1], string]>([
    ['HTTP', '0.0.0.0_80', http, 'http by 80'],
    ['what is no HTTP', '0.0.0.0_80', {}, 'bytes to PassthroughCluster'],
    [
      'TCP by its address',
      '10.0.0.7_5432',
      {},
      'bytes to 80 outbound|5432||db.default.svc.cluster.local, 20 outbound|5432||db.example.com',
    ],
    ['of no declared protocol, HTTP', '10.0.0.7_5000', http, 'http by 5000'],
    ['of no declared protocol, bytes', '10.0.0.7_5000', {}, 'bytes to outbound|5000||db.default.svc.cluster.local'],
    [
      'TLS by its name',
      '0.0.0.0_443',
      { transport: 'tls', serverName: 'db.example.com' },
      'bytes to outbound|443||db.example.com',
    ],
    [
      'TLS to another name',
      '0.0.0.0_443',
      { transport: 'tls', serverName: 'x.example' },
      'bytes to PassthroughCluster',
    ],
  ])('%s', (_, name, facts, ends) => {
    expect(connectionTo(redirected.listener(name), facts)).toBe(ends);
  });
});

it('the proxy compiles the routes and filter chains of every mesh', () => {
  let compiled = 0;
  for (const mesh of readdirSync(GOLDEN)) {
    for (const translation of [
      sidecar(mesh),
      sidecar(mesh, { httpProxyPort: 15_080 }),
      gateway(mesh, { labels: { istio: 'ingressgateway', app: 'gateway' } }),
    ]) {
      for (const name of translation.names('RDS')) {
        expect(() => trafficOf(translation.routes(name)), `${mesh} RDS ${name}`).not.toThrow();
        compiled += 1;
      }
      for (const name of translation.names('LDS')) {
        expect(() => connectionTo(translation.listener(name), {}), `${mesh} LDS ${name}`).not.toThrow();
        compiled += 1;
      }
    }
  }
  expect(compiled).toBeGreaterThan(80);
});
