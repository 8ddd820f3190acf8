import type { Fields, Value } from './values.ts';

const EXTENSIONS = 'type.googleapis.com/envoy.extensions.';

/** Message of an HTTP filter by its short name. */
const HTTP: Readonly<Record<string, string>> = {
  bandwidth_limit: 'bandwidth_limit.v3.BandwidthLimit',
  basic_auth: 'basic_auth.v3.BasicAuth',
  buffer: 'buffer.v3.Buffer',
  compressor: 'compressor.v3.Compressor',
  cors: 'cors.v3.Cors',
  csrf: 'csrf.v3.CsrfPolicy',
  decompressor: 'decompressor.v3.Decompressor',
  dynamic_forward_proxy: 'dynamic_forward_proxy.v3.FilterConfig',
  ext_authz: 'ext_authz.v3.ExtAuthz',
  fault: 'fault.v3.HTTPFault',
  grpc_http1_bridge: 'grpc_http1_bridge.v3.Config',
  grpc_json_transcoder: 'grpc_json_transcoder.v3.GrpcJsonTranscoder',
  grpc_stats: 'grpc_stats.v3.FilterConfig',
  grpc_web: 'grpc_web.v3.GrpcWeb',
  header_mutation: 'header_mutation.v3.HeaderMutation',
  header_to_metadata: 'header_to_metadata.v3.Config',
  health_check: 'health_check.v3.HealthCheck',
  jwt_authn: 'jwt_authn.v3.JwtAuthentication',
  local_ratelimit: 'local_ratelimit.v3.LocalRateLimit',
  ratelimit: 'ratelimit.v3.RateLimit',
  rbac: 'rbac.v3.RBAC',
  router: 'router.v3.Router',
  set_filter_state: 'set_filter_state.v3.Config',
  set_metadata: 'set_metadata.v3.Config',
  stateful_session: 'stateful_session.v3.StatefulSession',
};

/** Message of its configuration on a route, where that is another. */
const PER_ROUTE: Readonly<Record<string, string>> = {
  basic_auth: 'basic_auth.v3.BasicAuthPerRoute',
  buffer: 'buffer.v3.BufferPerRoute',
  compressor: 'compressor.v3.CompressorPerRoute',
  cors: 'cors.v3.CorsPolicy',
  dynamic_forward_proxy: 'dynamic_forward_proxy.v3.PerRouteConfig',
  ext_authz: 'ext_authz.v3.ExtAuthzPerRoute',
  header_mutation: 'header_mutation.v3.HeaderMutationPerRoute',
  jwt_authn: 'jwt_authn.v3.PerRouteConfig',
  ratelimit: 'ratelimit.v3.RateLimitPerRoute',
  rbac: 'rbac.v3.RBACPerRoute',
  stateful_session: 'stateful_session.v3.StatefulSessionPerRoute',
};

const NETWORK: Readonly<Record<string, string>> = {
  connection_limit: 'connection_limit.v3.ConnectionLimit',
  direct_response: 'direct_response.v3.Config',
  echo: 'echo.v3.Echo',
  ext_authz: 'ext_authz.v3.ExtAuthz',
  http_connection_manager: 'http_connection_manager.v3.HttpConnectionManager',
  local_ratelimit: 'local_ratelimit.v3.LocalRateLimit',
  rbac: 'rbac.v3.RBAC',
  set_filter_state: 'set_filter_state.v3.Config',
  sni_cluster: 'sni_cluster.v3.SniCluster',
  sni_dynamic_forward_proxy: 'sni_dynamic_forward_proxy.v3.FilterConfig',
  tcp_proxy: 'tcp_proxy.v3.TcpProxy',
};

const LISTENER: Readonly<Record<string, string>> = {
  http_inspector: 'http_inspector.v3.HttpInspector',
  local_ratelimit: 'local_ratelimit.v3.LocalRateLimit',
  original_dst: 'original_dst.v3.OriginalDst',
  proxy_protocol: 'proxy_protocol.v3.ProxyProtocol',
  tls_inspector: 'tls_inspector.v3.TlsInspector',
};

/** `{ fault: {…} }` in a list of HTTP, network or listener filters is the filter with its name and type. */
export function expandFilters(filters: readonly Value[], layer: 'http' | 'network' | 'listener'): Value[] {
  const types = { http: HTTP, network: NETWORK, listener: LISTENER }[layer];
  return filters.map((filter) => {
    if (!isFields(filter)) return filter;
    const [name, ...others] = Object.keys(filter);
    const type = name === undefined || others.length > 0 ? undefined : types[name];
    if (name === undefined || type === undefined) return filter;
    const config = filter[name];
    const typed = { '@type': `${EXTENSIONS}filters.${layer}.${type}`, ...(isFields(config) ? config : {}) };
    return { name: `envoy.filters.${layer}.${name}`, typed_config: expandTypes(typed) };
  });
}

/** Completes `@type` everywhere, and short names in `typed_per_filter_config`. */
export function expandTypes(value: Value): Value {
  if (Array.isArray(value)) return value.map(expandTypes);
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]): [string, Value] => {
      if (key === '@type' && typeof each === 'string' && !each.includes('/')) return [key, EXTENSIONS + each];
      if (key === 'typed_per_filter_config' && isFields(each)) return [key, expandPerRoute(each)];
      return [key, expandTypes(each)];
    }),
  );
}

function expandPerRoute(configs: Fields): Fields {
  return Object.fromEntries(
    Object.entries(configs).map(([name, config]): [string, Value] => {
      const type = PER_ROUTE[name] ?? HTTP[name];
      if (type === undefined || !isFields(config)) return [name, expandTypes(config)];
      const typed: Fields = { '@type': `${EXTENSIONS}filters.http.${type}`, ...config };
      return [`envoy.filters.http.${name}`, expandTypes(typed)];
    }),
  );
}

export function isFields(value: Value | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The second over the first; maps are merged, everything else replaced. */
export function merge(base: Fields, over: Fields): Fields {
  const merged: Record<string, Value> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isFields(before) && isFields(value) && value['@type'] === undefined ? merge(before, value) : value;
  }
  return merged;
}
