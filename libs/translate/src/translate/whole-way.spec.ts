import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decide, type Decision, type Question } from '@flotilla/decide';
import { describe, expect, it } from 'vitest';
import { type NodeInit, routerNode, sidecarNode } from '../testing/nodes.ts';
import { meshOf, proxyOf, translate } from '../testing/translation.ts';

const GOLDEN = join(import.meta.dirname, '..', '..', 'golden');
const CLIENT = { host: '192.0.2.9', port: 40_000 };
const MESH_TLS = { serverName: null, alpn: ['istio'] };

const sentTo = (mesh: string, node: NodeInit) =>
  translate(meshOf(readFileSync(join(GOLDEN, mesh, 'mesh.yaml'), 'utf8')), proxyOf(node)).resources();

const to = (host: string, port: number, tls: Question['connection']['tls'] = null): Question['connection'] => ({
  destination: { host, port },
  source: CLIENT,
  tls,
});
const get = (authority: string, path = '/'): Question['request'] => ({ method: 'GET', path, authority, headers: [] });

/** Station by station, as far as it gets. */
function way({ listener, filterChain, http, upstream }: Decision): string {
  const route = http?.route;
  return [
    listener ?? 'no listener',
    ...(listener !== null && filterChain === null ? ['no chain'] : []),
    ...(http === null ? [] : [route == null ? 'no route' : route.kind === 'forward' ? http.virtualHost : route.status]),
    ...(upstream === null ? [] : [upstream.exists ? upstream.cluster : `${upstream.cluster} is missing`]),
    ...(upstream?.endpoints ?? []).map(
      ({ endpoint: { host, port }, chance }) => `${host}:${port} ${Math.round(chance * 100)} %`,
    ),
  ].join(' > ');
}

const PORT = { appAddress: '127.0.0.1', bindAddress: '127.0.0.1' };
const EXPLICIT = sidecarNode({
  workload: 'reviews-v2',
  labels: { app: 'reviews', version: 'v2' },
  httpProxyPort: 15_080,
  ports: [
    { ...PORT, name: 'main', port: 9080, protocol: 'HTTP', bindPort: 21_001, appPort: 21_002 },
    { ...PORT, name: 'raw', port: 7001, protocol: 'TCP', bindPort: 21_003, appPort: 21_004 },
  ],
});

describe.each<[string, string, NodeInit, readonly [string, Question['connection'], Question['request'], string][]]>([
  [
    'an explicit sidecar',
    'explicit-sidecar',
    EXPLICIT,
    [
      [
        'out, to a service',
        to('127.0.0.1', 15_080),
        get('reviews'),
        '127.0.0.1_15080 > reviews.default.svc.cluster.local:80 > outbound|80||reviews.default.svc.cluster.local > 127.0.0.1:21001 100 %',
      ],
      ['out, to nobody', to('127.0.0.1', 15_080), get('nobody'), '127.0.0.1_15080 > 502'],
      [
        'in, by mesh TLS',
        to('127.0.0.1', 21_001, MESH_TLS),
        get('reviews'),
        'inbound_127.0.0.1_21001 > default > inbound|9080|| > 127.0.0.1:21002 100 %',
      ],
      ['in, bytes', to('127.0.0.1', 21_003), null, 'inbound_127.0.0.1_21003 > inbound|7001|| > 127.0.0.1:21004 100 %'],
      ['to a port of nobody', to('127.0.0.1', 1), null, 'no listener'],
    ],
  ],
  [
    'a workload that takes mTLS alone',
    'mutual-tls',
    sidecarNode({ labels: { app: 'reviews' } }),
    [['not its declared port', to('10.1.1.1', 15_006), null, 'virtualInbound > BlackHoleCluster']],
  ],
  [
    'a gateway',
    'gateway',
    routerNode({ labels: { istio: 'ingressgateway', app: 'gateway' } }),
    [
      [
        'a host of its rules',
        to('203.0.113.1', 8080),
        get('shop.example.com'),
        '0.0.0.0_8080 > shop.example.com:8080 > outbound|9080||productpage.default.svc.cluster.local',
      ],
      ['a redirect', to('203.0.113.1', 8080), get('shop.example.com', '/login'), '0.0.0.0_8080 > 301'],
      ['a host of nobody', to('203.0.113.1', 8080), get('nobody.example'), '0.0.0.0_8080 > no route'],
      [
        'TLS by name',
        to('203.0.113.1', 443, { serverName: 'shop.example.com', alpn: ['h2'] }),
        get('shop.example.com'),
        '0.0.0.0_443 > shop.example.com:443 > outbound|9080||productpage.default.svc.cluster.local',
      ],
      [
        'TLS by another name',
        to('203.0.113.1', 443, { serverName: 'x.example', alpn: [] }),
        get('x.example'),
        '0.0.0.0_443 > no chain',
      ],
    ],
  ],
  [
    'a redirected sidecar',
    'redirected-sidecar',
    sidecarNode({ labels: { app: 'web' } }),
    [
      [
        'HTTP, told by its first bytes',
        to('10.0.0.8', 80),
        get('web'),
        '0.0.0.0_80 > web.default.svc.cluster.local:80 > outbound|80||web.default.svc.cluster.local',
      ],
      ['what is no HTTP, to a port for it', to('10.0.0.8', 80), null, '0.0.0.0_80 > PassthroughCluster'],
      ['TCP by its address', to('10.0.0.7', 5432), null, '10.0.0.7_5432 > outbound|5432||db.default.svc.cluster.local'],
    ],
  ],
])('%s', (_, mesh, node, rows) => {
  const resources = sentTo(mesh, node);
  it.each(rows)('%s', (_what, connection, request, expected) => {
    expect(way(decide(resources, { connection, request }))).toBe(expected);
  });
});
