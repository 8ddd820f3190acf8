/** One request of the scenario. Every field but the path has a default. */
export interface ScenarioRequest {
  /** Unique; sent as `x-case`. */
  readonly name: string;
  readonly method?: string;
  readonly path: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Send the body in chunks. */
  readonly isChunked?: boolean;
}

/** Sent to both proxies in this order; both must answer the same. */
export const REQUESTS: readonly ScenarioRequest[] = [
  { name: 'plain', path: '/echo/hello?a=1&b=2' },
  { name: 'exact path', path: '/exact' },
  { name: 'exact path with query', path: '/exact?x' },
  { name: 'exact path does not match longer', path: '/exact/more' },
  { name: 'no route', path: '/nowhere' },
  { name: 'prefix without case', path: '/caseless/x' },
  { name: 'regex', path: '/items/42' },
  { name: 'regex matches whole path', path: '/items/42x' },
  { name: 'path separated prefix', path: '/team/a' },
  { name: 'path separated prefix itself', path: '/team' },
  { name: 'path separated prefix ends at a slash', path: '/teams' },
  { name: 'method', method: 'DELETE', path: '/by-header' },
  { name: 'header exact', path: '/by-header', headers: { 'x-user': 'jason' } },
  { name: 'header exact differs', path: '/by-header', headers: { 'x-user': 'jason2' } },
  { name: 'header absent and another present', path: '/by-header', headers: { 'x-must': '' } },
  { name: 'header range inside', path: '/by-header', headers: { 'x-user': 'u', 'x-age': '19' } },
  { name: 'header range end is outside', path: '/by-header', headers: { 'x-user': 'u', 'x-age': '20' } },
  { name: 'header prefix without case', path: '/by-header', headers: { 'x-user': 'u', 'x-team': 'REDDISH' } },
  { name: 'no header', path: '/by-header' },
  { name: 'query exact', path: '/by-query?canary=true' },
  { name: 'query exact differs', path: '/by-query?canary=false' },
  { name: 'query present', path: '/by-query?x=1&debug' },
  { name: 'query twice, first counts', path: '/by-query?canary=no&canary=true' },
  { name: 'redirect path', path: '/redirect/path?keep=1' },
  { name: 'redirect prefix', path: '/redirect/prefix/rest?keep=1' },
  { name: 'redirect host, port and scheme', path: '/redirect/host/x' },
  { name: 'redirect strips query', path: '/redirect/strip?gone=1' },
  { name: 'redirect of a post', method: 'POST', path: '/redirect/path', body: 'x' },
  { name: 'direct response', path: '/direct' },
  { name: 'direct response to HEAD', method: 'HEAD', path: '/direct' },
  { name: 'direct response without body', path: '/direct-empty' },
  { name: 'prefix rewrite', path: '/rewrite/prefix/rest?q=1' },
  { name: 'regex rewrite', path: '/rewrite/regex/one/echo?q=1' },
  { name: 'host rewrite', path: '/rewrite/host/echo' },
  { name: 'host rewrite from a header', path: '/rewrite/header', headers: { 'x-target': 'from.header' } },
  { name: 'weight zero is never chosen', path: '/weights/all-blue' },
  { name: 'headers of a weighted cluster', path: '/weights/headers' },
  {
    name: 'header edits',
    path: '/edits',
    headers: { 'x-appended': 'one', 'x-set': 'old', 'x-missing': 'mine', 'x-secret': 's' },
  },
  { name: 'header edits where nothing was', path: '/edits' },
  { name: 'time-out', path: '/timeout' },
  { name: 'time-out of each try', path: '/per-try' },
  { name: 'retry until it works', path: '/retry/2/a' },
  { name: 'retries used up', path: '/retry/9/b' },
  { name: 'retry by status', path: '/retry-code/1/c' },
  { name: 'retry with a body', method: 'POST', path: '/retry/2/d', body: 'again' },
  { name: 'no retry', path: '/no-retry/1/e' },
  { name: 'connect failure', path: '/dead' },
  { name: 'connect failure retried', path: '/retry-connect' },
  { name: 'upstream resets', path: '/reset' },
  { name: 'no healthy host', path: '/empty' },
  { name: 'cluster by header', path: '/unknown', headers: { 'x-cluster': 'green' } },
  { name: 'unknown cluster by header', path: '/unknown', headers: { 'x-cluster': 'nobody' } },
  { name: 'other virtual host', path: '/anything', host: 'special.example' },
  { name: 'other virtual host by wildcard', path: '/anything', host: 'a.wild.example' },
  { name: 'wildcard needs a label', path: '/anything', host: 'wild.example' },
  { name: 'domain without case', path: '/anything', host: 'SPECIAL.example' },
  { name: 'domain with port', path: '/anything', host: 'special.example:80' },
  { name: 'virtual host wants TLS', path: '/x?y=1', host: 'moved.example' },
  { name: 'body with length', method: 'POST', path: '/echo', body: 'hello' },
  { name: 'body in chunks', method: 'PUT', path: '/echo', body: 'chunked hello', isChunked: true },
  { name: 'empty body', method: 'POST', path: '/echo', body: '' },
  { name: 'HEAD', method: 'HEAD', path: '/echo' },
  { name: 'OPTIONS', method: 'OPTIONS', path: '/echo' },
  { name: 'status 404 of upstream', path: '/status/404' },
  { name: 'status 204 of upstream', path: '/status/204' },
  { name: 'status 304 of upstream', path: '/status/304' },
  { name: 'status 500 of upstream', path: '/status/500' },
  { name: 'chunked response', path: '/echo/chunked' },
  { name: 'hop-by-hop headers go no further', path: '/echo', headers: { te: 'trailers', 'keep-alive': 'x' } },
  { name: 'forwarded-for is kept', path: '/echo', headers: { 'x-forwarded-for': '1.2.3.4' } },
  {
    name: 'envoy headers of a client',
    path: '/echo',
    headers: { 'x-envoy-attempt-count': '7', 'x-envoy-retry-on': '5xx' },
  },
];

/**
 * Statistics that must be equal after the scenario. Not among them: the outcomes of a cluster's retries and time-outs,
 * which Envoy counts apart from the final responses and this proxy counts together.
 */
export const STATISTICS: readonly string[] = [
  'http.ingress.downstream_rq_total',
  'http.ingress.downstream_rq_completed',
  'http.ingress.downstream_rq_2xx',
  'http.ingress.downstream_rq_3xx',
  'http.ingress.downstream_rq_4xx',
  'http.ingress.downstream_rq_5xx',
  'http.ingress.no_route',
  'http.ingress.no_cluster',
  'cluster.blue.upstream_rq_total',
  'cluster.blue.upstream_rq_retry',
  'cluster.green.upstream_rq_total',
  'cluster.dead.upstream_cx_connect_fail',
  'cluster.empty.upstream_cx_none_healthy',
];
