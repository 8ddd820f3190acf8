import { describe, expect, it } from 'vitest';
import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { TEST_SURROUNDINGS } from '@flotilla/format/testing';
import { HeaderList } from '@flotilla/http-codec';
import { seededRandom } from '@flotilla/runtime';
import type {
  RouteActionSchema,
  RouteMatchSchema,
  RouteSchema,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { compileRouteTable } from './compile.ts';
import type { RoutableRequest } from './routable-request.ts';
import type { ForwardAction, Route, RouteTable } from './route.ts';

type Fields<Desc extends DescMessage> = Exclude<MessageInitShape<Desc>, MessageShape<Desc>>;
type RouteFields = Fields<typeof RouteSchema>;
type TableFields = Fields<typeof RouteConfigurationSchema>;

function compile(fields: TableFields): RouteTable {
  return compileRouteTable(create(RouteConfigurationSchema, { name: 't', ...fields }), {
    hasCluster: () => false,
    readDataSource: (source) =>
      source?.specifier.case === 'inlineString' ? new TextEncoder().encode(source.specifier.value) : null,
    surroundings: TEST_SURROUNDINGS,
    compilePerFilterConfig: (name, any) => `${name}=${any.typeUrl}`,
  });
}

function tableOf(routes: RouteFields[], more: TableFields = {}): RouteTable {
  return compile({ virtualHosts: [{ name: 'v', domains: ['*'], routes }], ...more });
}

function request(path = '/', more: Partial<RoutableRequest> = {}): RoutableRequest {
  const headers = new HeaderList();
  return { method: 'GET', path, authority: 'a.com', scheme: 'http', headers, clientCertificate: null, ...more };
}

function route(
  name: string,
  match: Fields<typeof RouteMatchSchema>,
  action: Fields<typeof RouteActionSchema> = {},
): RouteFields {
  return {
    name,
    match,
    action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: name }, ...action } },
  };
}

const prefix = (value: string): Fields<typeof RouteMatchSchema> => ({ pathSpecifier: { case: 'prefix', value } });
const exact = (value: string): Fields<typeof RouteMatchSchema> => ({ pathSpecifier: { case: 'path', value } });

function forward(found: Route | null): ForwardAction {
  if (found?.action.kind !== 'forward') throw new Error('not a forwarding route');
  return found.action;
}

function actionOf(action: Fields<typeof RouteActionSchema>): ForwardAction {
  return forward(tableOf([route('r', prefix('/'), action)]).match(request(), 0));
}

describe('matching', () => {
  const table = tableOf([
    route('prefix-a', { ...prefix('/a'), headers: [{ name: 'x', headerMatchSpecifier: { case: undefined } }] }),
    route('exact-a', exact('/a')),
    route('exact-b-post', {
      ...exact('/b'),
      headers: [{ name: ':method', headerMatchSpecifier: { case: 'exactMatch', value: 'POST' } }],
    }),
    route('regex', { pathSpecifier: { case: 'safeRegex', value: { regex: '/[ab]' } } }),
    route('exact-b', exact('/b')),
    route('connect', { pathSpecifier: { case: 'connectMatcher', value: {} } }),
    route('grpc', { ...prefix('/g'), grpc: {} }),
    route('rest', prefix('/')),
  ]);
  it.each<[string, RoutableRequest, string]>([
    [
      'the first match wins, though a later one is exact',
      request('/a', { headers: HeaderList.of({ x: '1' }) }),
      'prefix-a',
    ],
    ['an exact path comes by its place', request('/a'), 'exact-a'],
    ['an earlier regex wins over a later exact path', request('/b'), 'regex'],
    ['an exact path whose other rules fit', request('/b', { method: 'POST' }), 'exact-b-post'],
    ['the query is no part of the path', request('/a?x'), 'exact-a'],
    ['CONNECT fits connect matchers alone', request('', { method: 'CONNECT' }), 'connect'],
    [
      'gRPC by content type',
      request('/g', { headers: HeaderList.of({ 'content-type': 'application/grpc+proto' }) }),
      'grpc',
    ],
    ['not gRPC', request('/g', { headers: HeaderList.of({ 'content-type': 'application/grpc-web' }) }), 'rest'],
    ['the rest', request('/zzz'), 'rest'],
  ])('%s', (_behaviour, asked, name) => {
    expect(table.match(asked, 0)?.name).toBe(name);
  });

  it('takes the fraction of requests that it is told', () => {
    const fractions = tableOf([
      route('some', { ...prefix('/'), runtimeFraction: { defaultValue: { numerator: 25 } } }),
      route('rest', prefix('/')),
    ]);
    const random = seededRandom(9);
    let some = 0;
    for (let index = 0; index < 10_000; index++) if (fractions.match(request(), random())?.name === 'some') some += 1;
    expect(Math.abs(some - 2_500)).toBeLessThan(150);
  });

  it('ignores path parameters when told', () => {
    const routes = [route('r', exact('/a'))];
    expect(tableOf(routes).match(request('/a;v=1'), 0)).toBeNull();
    expect(tableOf(routes, { ignorePathParametersInPathMatching: true }).match(request('/a;v=1'), 0)?.name).toBe('r');
  });

  it('does not fall through to another virtual host', () => {
    const found = compile({
      virtualHosts: [
        { name: 'a', domains: ['a.com'], routes: [route('a', exact('/a'))] },
        { name: 'rest', domains: ['*'], routes: [route('rest', prefix('/'))] },
      ],
    }).match(request('/b'), 0);
    expect(found).toBeNull();
  });

  it('sends plain requests to HTTPS where TLS is required, internal ones perhaps not', () => {
    const withTls = (requireTls: number) =>
      compile({ virtualHosts: [{ name: 'v', domains: ['*'], requireTls, routes: [route('r', prefix('/'))] }] });
    const location = (found: Route | null) =>
      found?.action.kind === 'redirect' ? found.action.location(request('/x?y', { authority: 'a.com:80' })) : null;
    expect(location(withTls(2).match(request('/x?y'), 0))).toBe('https://a.com:80/x?y');
    expect(withTls(2).match(request('/', { scheme: 'https' }), 0)?.name).toBe('r');
    const internal = request('/', { headers: HeaderList.of({ 'x-envoy-internal': 'true' }) });
    expect(withTls(1).match(internal, 0)?.name).toBe('r');
    expect(location(withTls(1).match(request(), 0))).not.toBeNull();
  });
});

describe('clusters', () => {
  it('shares requests by weight', () => {
    const action = actionOf({
      clusterSpecifier: {
        case: 'weightedClusters',
        value: {
          clusters: [
            { name: 'v1', weight: 90 },
            { name: 'v2', weight: 10, hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: 'v2.org' } },
            { name: 'v3', weight: 0 },
          ],
        },
      },
    });
    const random = seededRandom(5);
    const counts: Record<string, number> = {};
    for (let index = 0; index < 10_000; index++) {
      const { cluster, authority } = action.pick(request(), random());
      expect(authority).toBe(cluster === 'v2' ? 'v2.org' : null);
      counts[cluster] = (counts[cluster] ?? 0) + 1;
    }
    expect(Object.keys(counts).sort()).toEqual(['v1', 'v2']);
    expect(Math.abs((counts['v2'] ?? 0) - 1_000)).toBeLessThan(100);
    expect([action.pick(request(), 0).cluster, action.pick(request(), 0.999999999).cluster]).toEqual(['v1', 'v2']);
  });

  it('names every cluster that can be chosen', () => {
    const { clusterNames } = tableOf([
      route('a', prefix('/a'), { requestMirrorPolicies: [{ cluster: 'mirror' }] }),
      route('b', prefix('/b'), {
        clusterSpecifier: { case: 'weightedClusters', value: { clusters: [{ name: 'w', weight: 1 }] } },
      }),
      route('c', prefix('/c'), { clusterSpecifier: { case: 'clusterHeader', value: 'x' } }),
    ]);
    expect([...clusterNames].sort()).toEqual(['a', 'mirror', 'w']);
  });

  it('validates clusters only when told', () => {
    expect(() => tableOf([route('a', prefix('/'))], { validateClusters: true })).toThrow(
      /: virtual_hosts\[0\]\.routes\[0\]\.route: cluster "a" does not exist/,
    );
  });
});

describe('settings of a route', () => {
  it('has defaults', () => {
    expect(actionOf({})).toMatchObject({
      timeoutMs: 15_000,
      idleTimeoutMs: null,
      maxStreamDurationMs: null,
      retry: null,
      mirrors: [],
      rewrite: null,
      autoHostRewrite: false,
      clusterNotFoundStatus: 503,
    });
  });

  it('reads times and codes', () => {
    expect(
      actionOf({
        timeout: {},
        idleTimeout: { seconds: 1n },
        maxStreamDuration: { maxStreamDuration: { nanos: 500_000_000 } },
        clusterNotFoundResponseCode: 1,
        hostRewriteSpecifier: { case: 'autoHostRewrite', value: { value: true } },
      }),
    ).toMatchObject({
      timeoutMs: 0,
      idleTimeoutMs: 1_000,
      maxStreamDurationMs: 500,
      clusterNotFoundStatus: 404,
      autoHostRewrite: true,
    });
  });

  it('takes retries and mirrors from the virtual host and the table where it has none', () => {
    const table = compile({
      requestMirrorPolicies: [
        { cluster: 'm', runtimeFraction: { defaultValue: { numerator: 5_000, denominator: 1 } } },
      ],
      virtualHosts: [
        {
          name: 'v',
          domains: ['*'],
          retryPolicy: { retryOn: '5xx', numRetries: 4 },
          routes: [
            route('own', exact('/own'), {
              retryPolicy: { retryOn: 'reset' },
              requestMirrorPolicies: [{ cluster: 'o' }],
            }),
            route('inherited', prefix('/')),
          ],
        },
      ],
    });
    const own = forward(table.match(request('/own'), 0));
    expect([own.retry?.attempts, own.retry?.on.reset, own.mirrors]).toEqual([
      1,
      true,
      [{ cluster: 'o', clusterHeader: '', fraction: 1, appendShadowSuffix: true }],
    ]);
    const inherited = forward(table.match(request('/'), 0));
    expect([inherited.retry?.attempts, inherited.retry?.on.fiveXx]).toEqual([4, true]);
    expect(inherited.mirrors).toEqual([{ cluster: 'm', clusterHeader: '', fraction: 0.5, appendShadowSuffix: true }]);
  });

  it("reads Istio's default retry policy", () => {
    const { retry } = actionOf({
      retryPolicy: {
        retryOn: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
        numRetries: 2,
        retriableStatusCodes: [503],
        retryHostPredicate: [{ name: 'envoy.retry_host_predicates.previous_hosts' }],
        hostSelectionRetryMaxAttempts: 5n,
      },
    });
    expect(retry).toMatchObject({
      attempts: 2,
      perTryTimeoutMs: 0,
      baseIntervalMs: 25,
      maxIntervalMs: 250,
      avoidPreviousHosts: true,
      hostSelectionAttempts: 5,
      on: { connectFailure: true, refusedStream: true, fiveXx: false },
    });
    expect([[...(retry?.on.statusCodes ?? [])], [...(retry?.on.grpcStatuses ?? [])].sort((a, b) => a - b)]).toEqual([
      [503],
      [1, 14],
    ]);
  });

  it('judges retriable headers, and status codes only when asked', () => {
    const { retry } = actionOf({
      retryPolicy: {
        retryOn: ' retriable-headers , gateway-error',
        retriableStatusCodes: [418],
        retriableHeaders: [{ name: 'X-Retry', headerMatchSpecifier: { case: 'exactMatch', value: 'yes' } }],
        retryBackOff: { baseInterval: { seconds: 1n } },
        perTryTimeout: { seconds: 2n },
      },
    });
    expect(retry).toMatchObject({ perTryTimeoutMs: 2_000, baseIntervalMs: 1_000, maxIntervalMs: 10_000 });
    expect(retry?.on.statusCodes.size).toBe(0);
    expect(retry?.on.matchesRetriableHeaders?.(HeaderList.of({ 'x-retry': 'yes' }))).toBe(true);
    expect(retry?.on.matchesRetriableHeaders?.(HeaderList.of({ 'x-retry': 'no' }))).toBe(false);
  });

  it('lets the most specific filter configuration win', () => {
    const any = (typeUrl: string) => ({ f: { typeUrl } });
    const table = compile({
      typedPerFilterConfig: { ...any('table'), g: { typeUrl: 'table' } },
      virtualHosts: [
        {
          name: 'v',
          domains: ['*'],
          typedPerFilterConfig: any('host'),
          includeRequestAttemptCount: true,
          routes: [
            { ...route('own', exact('/own')), typedPerFilterConfig: any('route') },
            route('weighted', exact('/w'), {
              clusterSpecifier: {
                case: 'weightedClusters',
                value: { clusters: [{ name: 'w', weight: 1, typedPerFilterConfig: any('cluster') }] },
              },
            }),
            route('plain', prefix('/')),
          ],
        },
      ],
    });
    const at = (path: string) => table.match(request(path), 0);
    expect([...(at('/own')?.perFilter ?? [])]).toEqual([
      ['f', 'f=route'],
      ['g', 'g=table'],
    ]);
    expect(at('/')?.perFilter.get('f')).toBe('f=host');
    expect(forward(at('/')).pick(request(), 0).perFilter).toBeNull();
    expect(forward(at('/w')).pick(request(), 0).perFilter?.get('f')).toBe('f=cluster');
    expect([at('/')?.attemptCountInRequest, at('/')?.attemptCountInResponse]).toEqual([true, false]);
  });

  it('answers directly', () => {
    const direct = (value: { status: number; body?: object }): RouteFields => ({
      match: prefix('/'),
      action: { case: 'directResponse', value },
    });
    const inline = (value: string) => ({ specifier: { case: 'inlineString' as const, value } });
    const action = tableOf([direct({ status: 418, body: inline('tea') })]).match(request(), 0)?.action;
    expect(action).toEqual({ kind: 'direct', status: 418, body: new TextEncoder().encode('tea') });
    expect(() => tableOf([direct({ status: 100 })])).toThrow(/direct_response\.status: 100 is not in 200 to 599/);
    expect(() => tableOf([direct({ status: 200, body: inline('x'.repeat(4_097)) })])).toThrow(/more than 4096/);
  });
});

describe('what is refused, by name', () => {
  const action = (fields: Fields<typeof RouteActionSchema>): TableFields => ({
    virtualHosts: [{ name: 'v', domains: ['*'], routes: [route('r', prefix('/'), fields)] }],
  });
  const host = (fields: object): TableFields => ({ virtualHosts: [{ name: 'v', domains: ['*'], ...fields }] });
  const at = 'virtual_hosts\\[0\\]\\.routes\\[0\\]';
  it.each<[string, TableFields, RegExp]>([
    ['no path rule', host({ routes: [{ match: {} }] }), new RegExp(`${at}\\.match: must hold a path specifier`)],
    ['no match', host({ routes: [{}] }), new RegExp(`${at}\\.match: is missing`)],
    ['no action', host({ routes: [{ match: prefix('/') }] }), new RegExp(`${at}: has no action`)],
    [
      'a bad regex',
      host({ routes: [{ match: { pathSpecifier: { case: 'safeRegex', value: { regex: '(' } } } }] }),
      new RegExp(`${at}\\.match: "\\(" is not a regular expression of RE2: missing closing`),
    ],
    ['no domains', { virtualHosts: [{ name: 'v' }] }, /virtual_hosts\[0\]\.domains: is empty/],
    ['a domain twice', { virtualHosts: [{ name: 'v', domains: ['a', 'A'] }] }, /domain "A" is given twice/],
    [
      'a name twice',
      {
        virtualHosts: [
          { name: 'v', domains: ['a'] },
          { name: 'v', domains: ['b'] },
        ],
      },
      /"v" is given twice/,
    ],
    [
      'an unknown retry word',
      action({ retryPolicy: { retryOn: '5xx,sometimes' } }),
      /retry_on: "sometimes" is not a retry/,
    ],
    [
      'another host predicate',
      action({ retryPolicy: { retryHostPredicate: [{ name: 'x' }] } }),
      /retry_host_predicate\[0\]: "x"/,
    ],
    [
      'weights of zero',
      action({ clusterSpecifier: { case: 'weightedClusters', value: { clusters: [{ name: 'a' }] } } }),
      /weighted_clusters: the sum of the weights is 0/,
    ],
    [
      'a wrong total',
      action({
        clusterSpecifier: { case: 'weightedClusters', value: { clusters: [{ name: 'a', weight: 1 }], totalWeight: 2 } },
      }),
      /total_weight: is 2, but the weights add up to 1/,
    ],
    [
      'an edit of the host',
      host({ requestHeadersToAdd: [{ header: { key: 'Host', value: 'x' } }] }),
      /request_headers_to_add\[0\]\.header\.key: "Host" may not be edited/,
    ],
    [
      'an unknown operator',
      host({ responseHeadersToAdd: [{ header: { key: 'x', value: '%NOPE%' } }] }),
      /response_headers_to_add\[0\]\.header\.value: .*NOPE/,
    ],
    [
      'a header with a line break',
      host({ responseHeadersToAdd: [{ header: { key: 'x', value: 'a\r\nb: c' } }] }),
      /holds a line break/,
    ],
    [
      'a substitution without its group',
      action({ regexRewrite: { pattern: { regex: 'a' }, substitution: '\\1' } }),
      /regex_rewrite: .*names no capture group/,
    ],
  ])('%s', (_case, fields, message) => {
    expect(() => compile(fields)).toThrow(message);
    expect(() => compile(fields)).toThrow(/^route configuration "t": /);
  });
});
