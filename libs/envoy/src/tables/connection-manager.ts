import type { Tables } from './table.ts';

const ONE_LOG_LINE = 'a request is logged once, when it ends';
const NOT_DRAWN = 'times are not drawn';
const IN_XFCC = 'the client certificate is passed on in one form';

/** The HTTP connection manager. */
export const CONNECTION_MANAGER: Tables = {
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager': {
    honoured: `codec_type stat_prefix rds route_config http_filters common_http_protocol_options http_protocol_options
      http2_protocol_options server_name server_header_transformation scheme_header_transformation
      max_request_headers_kb stream_idle_timeout request_timeout request_headers_timeout drain_timeout
      delayed_close_timeout access_log use_remote_address xff_num_trusted_hops internal_address_config skip_xff_append
      via generate_request_id preserve_external_request_id always_set_request_id_in_response
      forward_client_cert_details set_current_client_cert_details proxy_100_continue upgrade_configs normalize_path
      merge_slashes path_with_escaped_slashes_action request_id_extension local_reply_config strip_matching_host_port
      strip_any_host_port strip_trailing_host_dot append_x_forwarded_port tracing access_log_options`,
    never: { 'HTTP/3 is not spoken': { codec_type: 'HTTP3' } },
    hints: {
      'HTTP/3 is refused by codec_type': 'http3_protocol_options',
      'there is no filter state that it would add to': 'add_proxy_protocol_connection_state',
    },
    refused: {
      'routes are not chosen by scope': 'scoped_routes',
      'user-agent is left as it is': 'add_user_agent',
      [ONE_LOG_LINE]: 'access_log_flush_interval flush_access_log_on_new_request',
      'the client is told by its connection and x-forwarded-for': 'original_ip_detection_extensions',
      'headers are edited by filters and routes': 'early_header_mutation_extensions',
      'addresses are printed as they are': 'represent_ipv4_remote_address_as_ipv4_mapped_ipv6',
      'a request that breaks the rules ends its connection': 'stream_error_on_invalid_http_message',
      'paths are normalised by normalize_path and merge_slashes': 'path_normalization_options',
      'proxy-status is not sent': 'proxy_status_config append_local_overload',
      'headers are checked in one way': 'typed_header_validation_config',
      'connections are closed once their time is over': 'http1_safe_max_connection_duration',
      'a stream that waits for its reader has the time of stream_idle_timeout': 'stream_flush_timeout',
      [NOT_DRAWN]: 'drain_timeout_jitter',
      [IN_XFCC]: 'forward_client_cert_matcher',
      'x-forwarded-proto is read off the connection': 'forward_proto_config',
      'no statistics are kept of how routes are found': 'record_route_resolution_stats',
    },
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing': {
    hints: {
      'no traces are made where no provider is named': `client_sampling random_sampling overall_sampling verbose
        max_path_tag_length custom_tags spawn_upstream_span operation upstream_operation no_context_propagation`,
    },
    refused: { 'no traces are made': 'provider' },
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.HcmAccessLogOptions': {
    refused: {
      [ONE_LOG_LINE]:
        'access_log_flush_interval flush_access_log_on_new_request flush_log_on_tunnel_successfully_established',
    },
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.InternalAddressConfig': {
    honoured: 'cidr_ranges',
    refused: { 'no requests come from Unix sockets': 'unix_sockets' },
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails': {
    honoured: 'subject cert dns uri',
    refused: { [IN_XFCC]: 'chain issuer format' },
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig': {
    honoured: 'upgrade_type enabled',
    refused: { 'upgraded requests pass the same filters': 'filters' },
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter': {
    honoured: 'name typed_config config_discovery is_optional disabled',
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.LocalReplyConfig': { honoured: 'mappers body_format' },
  'envoy.extensions.filters.network.http_connection_manager.v3.ResponseMapper': {
    honoured: 'filter status_code body body_format_override headers_to_add',
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.Rds': { honoured: 'config_source route_config_name' },
  'envoy.extensions.filters.network.http_connection_manager.v3.RequestIDExtension': { honoured: 'typed_config' },
  'envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig': {
    hints: {
      'no traces are made, so the id says nothing of them': 'pack_trace_reason use_request_id_for_trace_sampling',
    },
  },
  'envoy.config.core.v3.SchemeHeaderTransformation': {
    honoured: 'scheme_to_overwrite',
    refused: { 'the scheme is that of the client': 'match_upstream' },
  },
};
