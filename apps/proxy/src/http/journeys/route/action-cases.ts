import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { RouteActionSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import type { RouteSchema, VirtualHostSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { type RouteConfiguration, RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import type { TestRequest } from './envoy.ts';

/** Fields of a message that is not made yet. */
type Fields<Desc extends DescMessage> = Exclude<MessageInitShape<Desc>, MessageShape<Desc>>;
type RouteInit = Fields<typeof RouteSchema>;
type TableInit = Fields<typeof RouteConfigurationSchema>;
type VirtualHostInit = Fields<typeof VirtualHostSchema>;
type Action = NonNullable<RouteInit['action']>;
type ForwardInit = Extract<Action, { case: 'route' }>['value'];
type RedirectInit = Extract<Action, { case: 'redirect' }>['value'];
type Match = NonNullable<RouteInit['match']>;

/** One behaviour of a route's action: what a request turns into. */
export interface ActionCase {
  readonly name: string;
  readonly table: RouteConfiguration;
  readonly request: TestRequest;
  readonly expected:
    | { readonly location: string; readonly status: number }
    | { readonly path?: string; readonly authority?: string; readonly headers?: Readonly<Record<string, string>> };
}

const prefix = (value: string): Match => ({ pathSpecifier: { case: 'prefix', value } });
const exact = (value: string): Match => ({ pathSpecifier: { case: 'path', value } });
const regex = (value: string): Match => ({ pathSpecifier: { case: 'safeRegex', value: { regex: value } } });

function forwarded(
  name: string,
  match: Match,
  action: ForwardInit,
  path: string,
  expected: ActionCase['expected'],
  more: { route?: RouteInit; host?: VirtualHostInit; table?: TableInit; headers?: TestRequest['headers'] } = {},
): ActionCase {
  const value = create(RouteActionSchema, action);
  if (value.clusterSpecifier.case === undefined) value.clusterSpecifier = { case: 'cluster', value: 'upstream' };
  return actionCase(name, { match, action: { case: 'route', value }, ...more.route }, path, expected, more);
}

function redirected(
  name: string,
  match: Match,
  value: RedirectInit,
  path: string,
  location: string,
  status = 301,
): ActionCase {
  return actionCase(name, { match, action: { case: 'redirect', value } }, path, { location, status }, {});
}

function actionCase(
  name: string,
  route: RouteInit,
  path: string,
  expected: ActionCase['expected'],
  more: { host?: VirtualHostInit; table?: TableInit; headers?: TestRequest['headers'] },
): ActionCase {
  return {
    name,
    table: create(RouteConfigurationSchema, {
      name: 't',
      virtualHosts: [{ name: 'v', domains: ['*'], routes: [route], ...more.host }],
      ...more.table,
    }),
    request: { method: 'GET', authority: 'a.com:8080', path, headers: more.headers ?? [] },
    expected,
  };
}

const add = (key: string, value: string, appendAction = 0, keepEmptyValue = false) => ({
  header: { key, value },
  appendAction,
  keepEmptyValue,
});

const levels = {
  host: { requestHeadersToAdd: [add('x-a', 'host', 2), add('x-b', 'host', 0)] },
  table: { requestHeadersToAdd: [add('x-a', 'table', 2), add('x-b', 'table', 0)] },
};
const routeLevel: RouteInit = { requestHeadersToAdd: [add('x-a', 'route', 2), add('x-b', 'route', 0)] };

export const ACTION_CASES: readonly ActionCase[] = [
  forwarded(
    'prefix rewrite replaces the prefix and keeps the query',
    prefix('/api'),
    { prefixRewrite: '/v1' },
    '/api/x?q=1',
    {
      path: '/v1/x?q=1',
      headers: { 'x-envoy-original-path': '/api/x?q=1' },
    },
  ),
  forwarded('prefix rewrite adds no slash', prefix('/api/'), { prefixRewrite: '/' }, '/api/x', { path: '/x' }),
  forwarded('prefix rewrite of an exact path takes all of it', exact('/a'), { prefixRewrite: '/b' }, '/a?x', {
    path: '/b?x',
  }),
  forwarded('prefix rewrite of a regex takes all of it', regex('/a.*'), { prefixRewrite: '/b' }, '/abc?x', {
    path: '/b?x',
  }),
  forwarded(
    'prefix rewrite minds length, not case',
    { ...prefix('/API'), caseSensitive: false },
    { prefixRewrite: '/v1' },
    '/api/x',
    { path: '/v1/x' },
  ),
  forwarded(
    'prefix rewrite of a separated prefix',
    { pathSpecifier: { case: 'pathSeparatedPrefix', value: '/api' } },
    { prefixRewrite: '/v1' },
    '/api/x',
    { path: '/v1/x' },
  ),
  forwarded(
    'regex rewrite moves groups and leaves the query alone',
    prefix('/service/'),
    { regexRewrite: { pattern: { regex: '^/service/([^/]+)(/.*)$' }, substitution: '\\2/instance/\\1' } },
    '/service/foo/v1/api?a=/service/x',
    { path: '/v1/api/instance/foo?a=/service/x' },
  ),
  forwarded(
    'regex rewrite replaces every match',
    prefix('/'),
    { regexRewrite: { pattern: { regex: 'one' }, substitution: 'two' } },
    '/one/one?one',
    { path: '/two/two?one' },
  ),
  forwarded(
    'host rewrite to a literal',
    prefix('/'),
    { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: 'b.org' } },
    '/',
    { authority: 'b.org' },
  ),
  forwarded(
    'host rewrite notes the old host when told',
    prefix('/'),
    { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: 'b.org' }, appendXForwardedHost: true },
    '/',
    { authority: 'b.org', headers: { 'x-forwarded-host': 'x.org,a.com:8080' } },
    { headers: [['x-forwarded-host', 'x.org']] },
  ),
  forwarded(
    'host rewrite from a header',
    prefix('/'),
    { hostRewriteSpecifier: { case: 'hostRewriteHeader', value: 'X-Host' } },
    '/',
    { authority: 'c.org' },
    { headers: [['x-host', 'c.org']] },
  ),
  forwarded(
    'host rewrite from a header that is missing leaves the host',
    prefix('/'),
    { hostRewriteSpecifier: { case: 'hostRewriteHeader', value: 'X-Host' } },
    '/',
    { authority: 'a.com:8080' },
  ),
  forwarded(
    'host rewrite from the path, before the path is rewritten',
    prefix('/'),
    {
      prefixRewrite: '/z/',
      hostRewriteSpecifier: {
        case: 'hostRewritePathRegex',
        value: { pattern: { regex: '^/(.+)/.+$' }, substitution: '\\1' },
      },
    },
    '/d.org/x?q=/y',
    { authority: 'd.org', path: '/z/d.org/x?q=/y' },
  ),
  forwarded(
    'cluster from a header',
    prefix('/'),
    { clusterSpecifier: { case: 'clusterHeader', value: 'X-C' } },
    '/',
    {},
    {
      headers: [['x-c', 'upstream']],
    },
  ),
  forwarded(
    'header edits: the least specific level wins',
    prefix('/'),
    {},
    '/',
    {
      headers: { 'x-a': 'table', 'x-b': 'route, host, table' },
    },
    { ...levels, route: routeLevel, host: levels.host, table: levels.table },
  ),
  forwarded(
    'header edits: the most specific level wins when told',
    prefix('/'),
    {},
    '/',
    {
      headers: { 'x-a': 'route', 'x-b': 'table, host, route' },
    },
    { route: routeLevel, host: levels.host, table: { ...levels.table, mostSpecificHeaderMutationsWins: true } },
  ),
  forwarded(
    'header edits of weighted clusters come first',
    prefix('/'),
    {
      clusterSpecifier: {
        case: 'weightedClusters',
        value: {
          clusters: [
            { name: 'upstream', weight: 1, requestHeadersToAdd: [add('x-a', 'cluster', 2), add('x-b', 'cluster', 0)] },
          ],
        },
      },
    },
    '/',
    { headers: { 'x-a': 'table', 'x-b': 'cluster, route, host, table' } },
    { route: routeLevel, host: levels.host, table: levels.table },
  ),
  forwarded(
    'header edits of weighted clusters come first even when the most specific wins',
    prefix('/'),
    {
      clusterSpecifier: {
        case: 'weightedClusters',
        value: {
          clusters: [
            { name: 'upstream', weight: 1, requestHeadersToAdd: [add('x-a', 'cluster', 2), add('x-b', 'cluster', 0)] },
          ],
        },
      },
    },
    '/',
    { headers: { 'x-a': 'route', 'x-b': 'cluster, table, host, route' } },
    { route: routeLevel, host: levels.host, table: { ...levels.table, mostSpecificHeaderMutationsWins: true } },
  ),
  forwarded(
    'header edits remove before they add',
    prefix('/'),
    {},
    '/',
    { headers: { 'x-a': 'new', 'x-gone': '' } },
    {
      route: { requestHeadersToAdd: [add('x-a', 'new')], requestHeadersToRemove: ['X-A', 'x-gone'] },
      headers: [
        ['x-a', 'old'],
        ['x-gone', '1'],
      ],
    },
  ),
  forwarded(
    'header edits: every append action',
    prefix('/'),
    {},
    '/',
    { headers: { 'x-append': 'old, 0', 'x-absent': 'old', 'x-new': '1', 'x-over': '2', 'x-if': '3', 'x-if-not': '' } },
    {
      route: {
        requestHeadersToAdd: [
          add('x-append', '0', 0),
          add('x-absent', '1', 1),
          add('x-new', '1', 1),
          add('x-over', '2', 2),
          add('x-if', '3', 3),
          add('x-if-not', '3', 3),
        ],
      },
      headers: [
        ['x-append', 'old'],
        ['x-absent', 'old'],
        ['x-over', 'old'],
        ['x-if', 'old'],
      ],
    },
  ),
  forwarded(
    'header edits: values are computed before any is written',
    prefix('/'),
    {},
    '/',
    { headers: { 'x-a': 'new', 'x-copy': 'old', 'x-missing': '' } },
    {
      route: {
        requestHeadersToAdd: [add('x-a', 'new', 2), add('x-copy', '%REQ(x-a)%'), add('x-missing', '%REQ(x-none)%')],
      },
      headers: [['x-a', 'old']],
    },
  ),
  forwarded(
    'header edits: literals and operators mix',
    prefix('/'),
    {},
    '/p?q=1',
    { headers: { 'x-mix': '100% of GET /p?q=1 for a.com:8080' } },
    { route: { requestHeadersToAdd: [add('x-mix', '100%% of %REQ(:METHOD)% %REQ(:PATH)% for %REQ(:AUTHORITY)%')] } },
  ),
  redirected(
    'redirect keeps all that it does not name',
    prefix('/'),
    { hostRedirect: 'b.org' },
    '/x?q=1',
    'http://b.org/x?q=1',
  ),
  redirected(
    'redirect to https keeps an odd port',
    prefix('/'),
    { schemeRewriteSpecifier: { case: 'httpsRedirect', value: true } },
    '/x',
    'https://a.com:8080/x',
  ),
  redirected('redirect to a port', prefix('/'), { portRedirect: 99 }, '/x', 'http://a.com:99/x'),
  redirected(
    'redirect to a scheme, host and port',
    prefix('/'),
    {
      schemeRewriteSpecifier: { case: 'schemeRedirect', value: 'ftp' },
      hostRedirect: 'b',
      portRedirect: 21,
      responseCode: 3,
    },
    '/x',
    'ftp://b:21/x',
    307,
  ),
  redirected(
    'redirect to a path keeps the query',
    prefix('/'),
    { pathRewriteSpecifier: { case: 'pathRedirect', value: '/new' }, responseCode: 1 },
    '/x?q=1',
    'http://a.com:8080/new?q=1',
    302,
  ),
  redirected(
    'redirect to a path with a query replaces it, stripped or not',
    prefix('/'),
    { pathRewriteSpecifier: { case: 'pathRedirect', value: '/new?n=1' }, stripQuery: true, responseCode: 2 },
    '/x?q=1',
    'http://a.com:8080/new?n=1',
    303,
  ),
  redirected(
    'redirect strips the query',
    prefix('/'),
    { stripQuery: true, responseCode: 4 },
    '/x?q=1',
    'http://a.com:8080/x',
    308,
  ),
  redirected(
    'redirect rewrites the prefix',
    prefix('/old'),
    { pathRewriteSpecifier: { case: 'prefixRewrite', value: '/new' } },
    '/old/x?q=1',
    'http://a.com:8080/new/x?q=1',
  ),
  redirected(
    'redirect rewrites by regex and strips the query',
    prefix('/'),
    {
      pathRewriteSpecifier: {
        case: 'regexRewrite',
        value: { pattern: { regex: '/(.)/(.)' }, substitution: '/\\2/\\1' },
      },
      stripQuery: true,
    },
    '/a/b?q=1',
    'http://a.com:8080/b/a',
  ),
];
