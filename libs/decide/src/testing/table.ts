import { create, createRegistry, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { FilterConfigSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import { CorsSchema } from '@flotilla/wire/envoy/extensions/filters/http/cors/v3/cors_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { TcpProxySchema } from '@flotilla/wire/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { decide, type Question } from '../decide.ts';
import type { Decision } from '../decision.ts';
import type { CompilePolicy } from '../http.ts';
import type { Resources } from '../resources.ts';

const registry = createRegistry(
  HttpConnectionManagerSchema,
  TcpProxySchema,
  RouterSchema,
  CorsSchema,
  FilterConfigSchema,
);
const TYPE = 'type.googleapis.com/envoy.extensions.filters';
const address = (host: string, port: number): JsonValue => ({ socketAddress: { address: host, portValue: port } });
const endpoint = (host: string, more: object = {}): JsonValue => ({
  endpoint: { address: address(host, 80) },
  ...more,
});

const HTTP: JsonValue = {
  name: 'http',
  typedConfig: {
    '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
    statPrefix: 'h',
    rds: { routeConfigName: 'r', configSource: { ads: {} } },
    httpFilters: [
      { name: 'cors', typedConfig: { '@type': `${TYPE}.http.cors.v3.Cors` } },
      { name: 'router', typedConfig: { '@type': `${TYPE}.http.router.v3.Router` } },
    ],
  },
};
const TCP: JsonValue = {
  name: 'tcp',
  typedConfig: { '@type': `${TYPE}.network.tcp_proxy.v3.TcpProxy`, statPrefix: 't', cluster: 'db' },
};

const RESOURCES: Resources = {
  listeners: [
    fromJson(
      ListenerSchema,
      {
        name: 'l',
        address: address('0.0.0.0', 8080),
        filterChains: [
          { name: 'tls', filterChainMatch: { transportProtocol: 'tls', serverNames: ['db.test'] }, filters: [TCP] },
          { name: 'plain', filterChainMatch: { transportProtocol: 'raw_buffer' }, filters: [HTTP] },
        ],
      },
      { registry },
    ),
  ],
  routes: [
    fromJson(
      RouteConfigurationSchema,
      {
        name: 'r',
        virtualHosts: [
          {
            name: 'v',
            domains: ['a.test'],
            routes: [
              {
                name: 'admin',
                match: { path: '/admin' },
                directResponse: { status: 403, body: { inlineString: 'no' } },
              },
              {
                name: 'beta',
                match: { prefix: '/', headers: [{ name: 'x-beta', stringMatch: { exact: 'yes' } }] },
                route: { cluster: 'beta', timeout: '3s', retryPolicy: { retryOn: '5xx', numRetries: 2 } },
                typedPerFilterConfig: {
                  cors: { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', disabled: true },
                },
              },
              { name: 'rest', match: { prefix: '/' }, route: { cluster: 'web', prefixRewrite: '/v1/' } },
            ],
          },
        ],
      },
      { registry },
    ),
  ],
  clusters: ['beta', 'web', 'db'].map((name) =>
    fromJson(ClusterSchema, { name, type: 'EDS', edsClusterConfig: { edsConfig: { ads: {} } } }),
  ),
  endpoints: [
    fromJson(ClusterLoadAssignmentSchema, {
      clusterName: 'web',
      endpoints: [
        {
          lbEndpoints: [
            endpoint('10.0.0.1', { loadBalancingWeight: 3 }),
            endpoint('10.0.0.2', { loadBalancingWeight: 1 }),
            endpoint('10.0.0.3', { healthStatus: 'UNHEALTHY' }),
          ],
        },
        { priority: 1, lbEndpoints: [endpoint('10.1.0.1')] },
      ],
    }),
    create(ClusterLoadAssignmentSchema, { clusterName: 'beta' }),
  ],
};

const plain: Question['connection'] = {
  destination: { host: '10.9.9.9', port: 8080 },
  source: { host: '10.0.0.9', port: 40_000 },
  tls: null,
};
const get = (path: string, headers: readonly (readonly [string, string])[] = []): Question['request'] => ({
  method: 'GET',
  path,
  authority: 'a.test',
  headers,
});

interface Row {
  readonly name: string;
  readonly question: Question;
  readonly compilePolicy?: CompilePolicy;
  /** What of the answer the row is about. */
  readonly told: (decision: Decision) => unknown;
  readonly expected: unknown;
}

const deny: CompilePolicy = (typeName) =>
  typeName.endsWith('.Cors')
    ? { decide: ({ method }) => ({ outcome: 'deny', rule: { name: 'nobody', field: 'rules[0]' }, reason: method }) }
    : null;

/** Questions and what is answered; they run in Node and in a browser. */
export const TABLE: readonly Row[] = [
  {
    name: 'a port that nobody listens on leads nowhere',
    question: { connection: { ...plain, destination: { host: '10.9.9.9', port: 1 } }, request: null },
    told: (decision) => decision,
    expected: { listener: null, filterChain: null, networkFilters: [], http: null, upstream: null },
  },
  {
    name: 'a name that no chain has leads to no chain',
    question: { connection: { ...plain, tls: { serverName: 'x.test', alpn: [] } }, request: null },
    told: ({ listener, filterChain }) => [listener, filterChain],
    expected: ['l', null],
  },
  {
    name: 'TLS with the name of a chain goes to its TCP proxy, whose cluster has no endpoints',
    question: { connection: { ...plain, tls: { serverName: 'db.test', alpn: [] } }, request: null },
    told: ({ filterChain, networkFilters, upstream }) => [filterChain, networkFilters, upstream],
    expected: ['tls', ['tcp'], { cluster: 'db', exists: true, endpoints: [] }],
  },
  {
    name: 'a route answers by itself',
    question: { connection: plain, request: get('/admin?x=1') },
    told: ({ http, upstream }) => [http?.route, http?.passedOver, upstream],
    expected: [{ kind: 'direct', name: 'admin', status: 403, body: 'no' }, [], null],
  },
  {
    name: 'routes that are passed over say why, and healthy endpoints of the first priority share by weight',
    question: { connection: plain, request: get('/x') },
    told: ({ http, upstream }) => [
      http?.passedOver.map(({ name, why }) => `${name}: ${why}`),
      http?.route,
      upstream?.endpoints.map((each) => [each.endpoint.host, each.chance]),
    ],
    expected: [
      ['admin: the path is not exact "/admin"', 'beta: headers[0] (x-beta) does not hold'],
      {
        kind: 'forward',
        name: 'rest',
        path: '/v1/x',
        authority: 'a.test',
        timeoutMs: 15_000,
        idleTimeoutMs: null,
        retries: null,
        mirrors: [],
      },
      // Two of three endpoints carry 93 % (overprovisioned by 40 %), the next priority the rest.
      [
        ['10.0.0.1', 0.6975],
        ['10.0.0.2', 0.2325],
        ['10.1.0.1', 0.07],
      ],
    ],
  },
  {
    name: 'a header leads elsewhere, with its time-out and retries, and without a filter that is off there',
    question: { connection: plain, request: get('/x', [['x-beta', 'yes']]) },
    told: ({ http, upstream }) => [
      http?.route?.kind === 'forward' && [http.route.name, http.route.timeoutMs, http.route.retries],
      http?.filters.map(({ name, verdict }) => [name, verdict]),
      upstream?.cluster,
    ],
    expected: [
      ['beta', 3_000, { attempts: 2, perTryTimeoutMs: 0 }],
      [
        ['cors', 'off'],
        ['router', 'runs'],
      ],
      'beta',
    ],
  },
  {
    name: 'an authority that no virtual host has finds no route',
    question: { connection: plain, request: { method: 'GET', path: '/', authority: 'z.test', headers: [] } },
    told: ({ http }) => [http?.virtualHost, http?.route],
    expected: [null, null],
  },
  {
    name: 'a policy says which of its rules decided',
    question: { connection: plain, request: get('/x') },
    compilePolicy: deny,
    told: ({ http }) => http?.filters[0]?.verdict,
    expected: { outcome: 'deny', rule: { name: 'nobody', field: 'rules[0]' }, reason: 'GET' },
  },
];

/** The answer of a row, in the form that it expects. */
export function answerOf({ question, compilePolicy, told }: Row): unknown {
  return told(decide(RESOURCES, question, compilePolicy === undefined ? {} : { compilePolicy }));
}
