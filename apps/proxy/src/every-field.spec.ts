import type { DescMessage } from '@bufbuild/protobuf';
import * as accessLog from '@flotilla/wire/envoy/config/accesslog/v3/accesslog_pb.js';
import * as breaker from '@flotilla/wire/envoy/config/cluster/v3/circuit_breaker_pb.js';
import * as cluster from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import * as outlier from '@flotilla/wire/envoy/config/cluster/v3/outlier_detection_pb.js';
import * as health from '@flotilla/wire/envoy/config/core/v3/health_check_pb.js';
import * as protocol from '@flotilla/wire/envoy/config/core/v3/protocol_pb.js';
import * as endpoint from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_components_pb.js';
import * as assignment from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import * as chain from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import * as listener from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import * as route from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import * as routes from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import * as file from '@flotilla/wire/envoy/extensions/access_loggers/file/v3/file_pb.js';
import * as compressor from '@flotilla/wire/envoy/extensions/filters/http/compressor/v3/compressor_pb.js';
import * as cors from '@flotilla/wire/envoy/extensions/filters/http/cors/v3/cors_pb.js';
import * as fault from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import * as local from '@flotilla/wire/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js';
import * as rateLimit from '@flotilla/wire/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.js';
import * as metrics from '@flotilla/wire/envoy/config/metrics/v3/stats_pb.js';
import * as configSource from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import * as serviceLog from '@flotilla/wire/envoy/extensions/access_loggers/grpc/v3/als_pb.js';
import * as filterState from '@flotilla/wire/envoy/extensions/filters/common/set_filter_state/v3/value_pb.js';
import * as sniProxy from '@flotilla/wire/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.js';
import * as router from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import * as manager from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import * as tcp from '@flotilla/wire/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import * as tlsCommon from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import * as tls from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import * as upstream from '@flotilla/wire/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/*
 * No field of Envoy's is passed over in silence. A field that no source file names is neither honoured nor refused; the
 * few that mean nothing to this proxy stand here with the reason. (That a field is named does not prove that it is
 * honoured: the conformance scenarios do.)
 */

/** Who reads messages: this app, and the libraries that compile them. */
const READERS = ['.', ...['cluster', 'format', 'route'].map((name) => `../../../libs/${name}/src`)];
const MATCHERS = join(import.meta.dirname, '../../../libs/envoy/src/matcher-specs.ts');
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));

const MESSAGES: readonly DescMessage[] = [
  metrics.StatsConfigSchema,
  metrics.StatsMatcherSchema,
  metrics.HistogramBucketSettingsSchema,
  metrics.TagSpecifierSchema,
  serviceLog.CommonGrpcAccessLogConfigSchema,
  serviceLog.HttpGrpcAccessLogConfigSchema,
  filterState.FilterStateValueSchema,
  sniProxy.FilterConfigSchema,
  configSource.ExtensionConfigSourceSchema,
  manager.HttpConnectionManagerSchema,
  manager.HttpConnectionManager_UpgradeConfigSchema,
  manager.HttpConnectionManager_SetCurrentClientCertDetailsSchema,
  manager.HttpConnectionManager_InternalAddressConfigSchema,
  manager.ResponseMapperSchema,
  manager.LocalReplyConfigSchema,
  protocol.Http1ProtocolOptionsSchema,
  protocol.Http2ProtocolOptionsSchema,
  protocol.HttpProtocolOptionsSchema,
  protocol.KeepaliveSettingsSchema,
  protocol.UpstreamHttpProtocolOptionsSchema,
  routes.RouteConfigurationSchema,
  route.VirtualHostSchema,
  route.RouteSchema,
  route.RouteMatchSchema,
  route.RouteActionSchema,
  route.RouteAction_HashPolicySchema,
  route.RouteAction_HashPolicy_CookieSchema,
  route.RouteAction_RequestMirrorPolicySchema,
  route.RouteAction_MaxStreamDurationSchema,
  route.RouteAction_UpgradeConfigSchema,
  route.RetryPolicySchema,
  route.HedgePolicySchema,
  route.RedirectActionSchema,
  route.DirectResponseActionSchema,
  route.WeightedClusterSchema,
  route.WeightedCluster_ClusterWeightSchema,
  route.HeaderMatcherSchema,
  route.QueryParameterMatcherSchema,
  cluster.ClusterSchema,
  cluster.Cluster_CommonLbConfigSchema,
  cluster.Cluster_LbSubsetConfigSchema,
  cluster.Cluster_RingHashLbConfigSchema,
  cluster.Cluster_LeastRequestLbConfigSchema,
  cluster.UpstreamConnectionOptionsSchema,
  outlier.OutlierDetectionSchema,
  breaker.CircuitBreakersSchema,
  breaker.CircuitBreakers_ThresholdsSchema,
  health.HealthCheckSchema,
  health.HealthCheck_HttpHealthCheckSchema,
  health.HealthCheck_TcpHealthCheckSchema,
  health.HealthCheck_GrpcHealthCheckSchema,
  endpoint.EndpointSchema,
  endpoint.LbEndpointSchema,
  endpoint.LocalityLbEndpointsSchema,
  assignment.ClusterLoadAssignmentSchema,
  assignment.ClusterLoadAssignment_PolicySchema,
  listener.ListenerSchema,
  chain.FilterChainSchema,
  chain.FilterChainMatchSchema,
  tcp.TcpProxySchema,
  tcp.TcpProxy_TunnelingConfigSchema,
  tls.UpstreamTlsContextSchema,
  tls.DownstreamTlsContextSchema,
  tls.CommonTlsContextSchema,
  tlsCommon.TlsParametersSchema,
  tlsCommon.TlsCertificateSchema,
  tlsCommon.CertificateValidationContextSchema,
  router.RouterSchema,
  fault.HTTPFaultSchema,
  local.LocalRateLimitSchema,
  rateLimit.RateLimitSchema,
  cors.CorsPolicySchema,
  compressor.CompressorSchema,
  upstream.HttpProtocolOptionsSchema,
  accessLog.AccessLogSchema,
  accessLog.AccessLogFilterSchema,
  file.FileAccessLogSchema,
];

/** By message and field. */
const WITHOUT_MEANING: Readonly<Record<string, string>> = {
  'HttpConnectionManager.add_proxy_protocol_connection_state': 'there is no filter state that it would add to',
  'Http1ProtocolOptions.use_balsa_parser': 'chooses between parsers of Envoy',
  'Http2ProtocolOptions.use_oghttp2_codec': 'chooses between codecs of Envoy',
  'RequestMirrorPolicy.trace_sampled': 'no traces are made, so none is sampled',
  'Cluster.ignore_health_on_host_removal': 'a host that discovery removes goes at once, as with this field',
  'CommonLbConfig.update_merge_window': 'updates are cheap: none waits to be merged',
  'DownstreamTlsContext.disable_stateful_session_resumption': 'sessions are resumed by tickets alone',
};

/** Alternatives of a choice whose compiler refuses what it does not know. */
const REFUSED_AS_UNKNOWN: readonly string[] = [
  'HealthCheck.custom_health_check',
  'CommonTlsContext.validation_context_certificate_provider',
  'CommonTlsContext.validation_context_certificate_provider_instance',
  'AccessLogFilter.traceable_filter',
  'DownstreamTlsContext.session_ticket_keys_sds_secret_config',
];

it('every field is honoured, refused, or said to mean nothing here', () => {
  const source = [...READERS.flatMap((folder) => filesIn(join(import.meta.dirname, folder))), MATCHERS]
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
    .map((name) => readFileSync(name, 'utf8'))
    .join('\n');
  const words = new Set(source.match(/\w+/g));
  const silent = MESSAGES.flatMap((message) =>
    message.fields
      .filter(({ name, localName }) => !words.has(name) && !words.has(localName))
      .map(({ name }) => `${message.name}.${name}`),
  );
  expect(silent.toSorted()).toEqual([...Object.keys(WITHOUT_MEANING), ...REFUSED_AS_UNKNOWN].toSorted());
});
