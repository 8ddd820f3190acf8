import { createRegistry, type DescFile, type Registry } from '@bufbuild/protobuf';

type WireModule = Readonly<Record<string, unknown>>;

/**
 * Packages of the messages that may stand inside an `Any`: those that some compile step of this proxy reads.
 * Loaded when a file mentions them or a dump prints them: a sidecar that gets its configuration from pilot never
 * needs most of them.
 */
const PACKAGES: Readonly<Record<string, () => Promise<WireModule>>> = {
  'envoy.config.bootstrap.v3': () => import('@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js'),
  'envoy.config.cluster.v3': () => import('@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js'),
  'envoy.config.listener.v3': () => import('@flotilla/wire/envoy/config/listener/v3/listener_pb.js'),
  'envoy.config.core.v3': () => import('@flotilla/wire/envoy/config/core/v3/extension_pb.js'),
  'envoy.config.endpoint.v3': () => import('@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js'),
  'envoy.config.route.v3': () => import('@flotilla/wire/envoy/config/route/v3/route_pb.js'),
  'envoy.config.route.v3.components': () => import('@flotilla/wire/envoy/config/route/v3/route_components_pb.js'),
  'envoy.extensions.access_loggers.filters.cel.v3': () =>
    import('@flotilla/wire/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js'),
  'envoy.extensions.formatter.cel.v3': () => import('@flotilla/wire/envoy/extensions/formatter/cel/v3/cel_pb.js'),
  'envoy.extensions.access_loggers.file.v3': () =>
    import('@flotilla/wire/envoy/extensions/access_loggers/file/v3/file_pb.js'),
  'envoy.extensions.access_loggers.grpc.v3': () =>
    import('@flotilla/wire/envoy/extensions/access_loggers/grpc/v3/als_pb.js'),
  'envoy.extensions.access_loggers.stream.v3': () =>
    import('@flotilla/wire/envoy/extensions/access_loggers/stream/v3/stream_pb.js'),
  'envoy.extensions.compression.brotli.compressor.v3': () =>
    import('@flotilla/wire/envoy/extensions/compression/brotli/compressor/v3/brotli_pb.js'),
  'envoy.extensions.compression.brotli.decompressor.v3': () =>
    import('@flotilla/wire/envoy/extensions/compression/brotli/decompressor/v3/brotli_pb.js'),
  'envoy.extensions.compression.gzip.compressor.v3': () =>
    import('@flotilla/wire/envoy/extensions/compression/gzip/compressor/v3/gzip_pb.js'),
  'envoy.extensions.compression.gzip.decompressor.v3': () =>
    import('@flotilla/wire/envoy/extensions/compression/gzip/decompressor/v3/gzip_pb.js'),
  'envoy.extensions.compression.zstd.compressor.v3': () =>
    import('@flotilla/wire/envoy/extensions/compression/zstd/compressor/v3/zstd_pb.js'),
  'envoy.extensions.compression.zstd.decompressor.v3': () =>
    import('@flotilla/wire/envoy/extensions/compression/zstd/decompressor/v3/zstd_pb.js'),
  'envoy.extensions.filters.http.buffer.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/buffer/v3/buffer_pb.js'),
  'envoy.extensions.filters.http.compressor.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/compressor/v3/compressor_pb.js'),
  'envoy.extensions.filters.http.cors.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/cors/v3/cors_pb.js'),
  'envoy.extensions.filters.http.csrf.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/csrf/v3/csrf_pb.js'),
  'envoy.extensions.filters.http.decompressor.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/decompressor/v3/decompressor_pb.js'),
  'envoy.extensions.filters.http.fault.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js'),
  'envoy.extensions.filters.http.grpc_http1_bridge.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/grpc_http1_bridge/v3/config_pb.js'),
  'envoy.extensions.filters.http.grpc_json_transcoder.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/grpc_json_transcoder/v3/transcoder_pb.js'),
  'envoy.extensions.filters.http.grpc_stats.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/grpc_stats/v3/config_pb.js'),
  'envoy.extensions.filters.http.grpc_web.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.js'),
  'envoy.extensions.filters.http.header_mutation.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js'),
  'envoy.extensions.filters.http.header_to_metadata.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata_pb.js'),
  'envoy.extensions.filters.http.health_check.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/health_check/v3/health_check_pb.js'),
  'envoy.extensions.filters.http.local_ratelimit.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js'),
  'envoy.extensions.filters.http.ratelimit.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.js'),
  'envoy.extensions.filters.http.rbac.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'),
  'envoy.extensions.filters.http.router.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js'),
  'envoy.extensions.filters.http.set_filter_state.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js'),
  'envoy.extensions.filters.network.set_filter_state.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state_pb.js'),
  'envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.js'),
  'envoy.extensions.filters.http.set_metadata.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/set_metadata/v3/set_metadata_pb.js'),
  'envoy.extensions.filters.listener.http_inspector.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js'),
  'envoy.extensions.filters.listener.original_dst.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js'),
  'envoy.extensions.filters.listener.proxy_protocol.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js'),
  'envoy.extensions.filters.listener.tls_inspector.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js'),
  'envoy.extensions.filters.network.connection_limit.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.js'),
  'envoy.extensions.filters.network.direct_response.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/network/direct_response/v3/config_pb.js'),
  'envoy.extensions.filters.network.echo.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/network/echo/v3/echo_pb.js'),
  'envoy.extensions.filters.network.http_connection_manager.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'),
  'envoy.extensions.filters.network.local_ratelimit.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.js'),
  'envoy.extensions.filters.network.rbac.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'),
  'envoy.extensions.filters.network.sni_cluster.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/network/sni_cluster/v3/sni_cluster_pb.js'),
  'envoy.extensions.filters.network.tcp_proxy.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'),
  'envoy.extensions.clusters.dynamic_forward_proxy.v3': () =>
    import('@flotilla/wire/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.js'),
  'envoy.extensions.filters.http.dynamic_forward_proxy.v3': () =>
    import('@flotilla/wire/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.js'),
  'envoy.extensions.http.header_formatters.preserve_case.v3': () =>
    import('@flotilla/wire/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.js'),
  'envoy.extensions.load_balancing_policies.least_request.v3': () =>
    import('@flotilla/wire/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.js'),
  'envoy.extensions.load_balancing_policies.maglev.v3': () =>
    import('@flotilla/wire/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.js'),
  'envoy.extensions.load_balancing_policies.random.v3': () =>
    import('@flotilla/wire/envoy/extensions/load_balancing_policies/random/v3/random_pb.js'),
  'envoy.extensions.load_balancing_policies.ring_hash.v3': () =>
    import('@flotilla/wire/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.js'),
  'envoy.extensions.load_balancing_policies.round_robin.v3': () =>
    import('@flotilla/wire/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.js'),
  'envoy.extensions.network.dns_resolver.cares.v3': () =>
    import('@flotilla/wire/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver_pb.js'),
  'envoy.extensions.network.dns_resolver.getaddrinfo.v3': () =>
    import('@flotilla/wire/envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver_pb.js'),
  'envoy.extensions.path.match.uri_template.v3': () =>
    import('@flotilla/wire/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js'),
  'envoy.extensions.path.rewrite.uri_template.v3': () =>
    import('@flotilla/wire/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite_pb.js'),
  'envoy.extensions.regex_engines.v3': () =>
    import('@flotilla/wire/envoy/extensions/regex_engines/v3/google_re2_pb.js'),
  'envoy.extensions.request_id.uuid.v3': () => import('@flotilla/wire/envoy/extensions/request_id/uuid/v3/uuid_pb.js'),
  'envoy.extensions.resource_monitors.downstream_connections.v3': () =>
    import('@flotilla/wire/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb.js'),
  'envoy.extensions.retry.host.previous_hosts.v3': () =>
    import('@flotilla/wire/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js'),
  'envoy.extensions.retry.priority.previous_priorities.v3': () =>
    import('@flotilla/wire/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js'),
  'envoy.extensions.transport_sockets.proxy_protocol.v3': () =>
    import('@flotilla/wire/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js'),
  'envoy.extensions.transport_sockets.raw_buffer.v3': () =>
    import('@flotilla/wire/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js'),
  'envoy.extensions.transport_sockets.tls.v3': () =>
    import('@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'),
  'envoy.extensions.transport_sockets.tls.v3.secrets': () =>
    import('@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'),
  'envoy.extensions.upstreams.http.v3': () =>
    import('@flotilla/wire/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'),
  'xds.type.v3': () => import('@flotilla/wire/xds/type/v3/typed_struct_pb.js'),
  'udpa.type.v1': () => import('@flotilla/wire/udpa/type/v1/typed_struct_pb.js'),
  'google.protobuf': () => import('@bufbuild/protobuf/wkt'),
};

/** Loads the messages named by these type URLs (`type.googleapis.com/…`); unknown ones are left out. */
export async function loadTypes(typeUrls: Iterable<string>): Promise<Registry> {
  const wanted = new Set<string>();
  for (const url of typeUrls) {
    const name = url.slice(url.lastIndexOf('/') + 1);
    const packageName = name.slice(0, name.lastIndexOf('.'));
    for (const known of Object.keys(PACKAGES)) {
      if (known === packageName || known.startsWith(`${packageName}.`)) wanted.add(known);
    }
  }
  return registryOf(wanted);
}

/** Every type of the table, for dumps. */
export function loadAllTypes(): Promise<Registry> {
  return registryOf(Object.keys(PACKAGES));
}

async function registryOf(packages: Iterable<string>): Promise<Registry> {
  const modules = await Promise.all([...packages].map((name) => PACKAGES[name]?.()));
  return createRegistry(...modules.flatMap((module) => (module === undefined ? [] : filesOf(module))));
}

function filesOf(module: WireModule): DescFile[] {
  return Object.values(module).filter(
    (value): value is DescFile =>
      typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'file',
  );
}
