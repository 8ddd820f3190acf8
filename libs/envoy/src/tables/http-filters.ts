import type { Tables } from './table.ts';

/** HTTP filters but those of rate limits and compression. */
export const HTTP_FILTERS: Tables = {
  'envoy.extensions.filters.http.router.v3.Router': {
    honoured: `suppress_envoy_headers strict_check_headers respect_expected_rq_timeout dynamic_stats
      upstream_http_filters`,
    never: { 'statistics of clusters are always kept': { dynamic_stats: false } },
    refused: {
      'no traces are made': 'start_child_span',
      'single tries are not logged': 'upstream_log upstream_log_options',
      'statistics of gRPC failures are always kept': 'suppress_grpc_request_failure_code_stats',
      'requests of the first flight of TLS are not told apart': 'reject_connect_request_early_data',
    },
  },
  'envoy.extensions.filters.http.buffer.v3.Buffer': { honoured: 'max_request_bytes' },
  'envoy.extensions.filters.http.buffer.v3.BufferPerRoute': { honoured: 'disabled buffer' },
  'envoy.extensions.filters.http.cors.v3.Cors': {},
  'envoy.extensions.filters.http.cors.v3.CorsPolicy': {
    honoured: `allow_origin_string_match allow_methods allow_headers expose_headers max_age allow_credentials
      filter_enabled shadow_enabled allow_private_network_access forward_not_matching_preflights`,
  },
  'envoy.extensions.filters.http.csrf.v3.CsrfPolicy': { honoured: 'filter_enabled shadow_enabled additional_origins' },
  'envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig': {
    honoured: 'dns_cache_config',
    refused: {
      'all hosts are in one cluster': 'sub_cluster_config',
      'the address that was chosen is not kept': 'save_upstream_address',
      'the host is that of the request': 'allow_dynamic_host_from_filter_state',
    },
  },
  'envoy.extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig': {
    honoured: 'host_rewrite_literal host_rewrite_header',
  },
  'envoy.extensions.filters.http.fault.v3.HTTPFault': {
    honoured: `delay abort upstream_cluster headers downstream_nodes max_active_faults response_rate_limit
      disable_downstream_cluster_stats`,
    refused: {
      'faults do not go by runtime: set the value itself': `delay_percent_runtime abort_percent_runtime
        delay_duration_runtime abort_http_status_runtime max_active_faults_runtime response_rate_limit_percent_runtime
        abort_grpc_status_runtime`,
      'a fault writes no metadata': 'filter_metadata',
    },
  },
  'envoy.extensions.filters.http.fault.v3.FaultAbort': {
    honoured: 'http_status grpc_status header_abort percentage',
    refused: { 'an abort has the body of a fault': 'response_body' },
  },
  'envoy.extensions.filters.http.fault.v3.FaultAbort.HeaderAbort': {},
  'envoy.extensions.filters.common.fault.v3.FaultDelay': { honoured: 'fixed_delay header_delay percentage' },
  'envoy.extensions.filters.common.fault.v3.FaultDelay.HeaderDelay': {},
  'envoy.extensions.filters.common.fault.v3.FaultRateLimit': { honoured: 'fixed_limit header_limit percentage' },
  'envoy.extensions.filters.common.fault.v3.FaultRateLimit.FixedLimit': { honoured: 'limit_kbps' },
  'envoy.extensions.filters.common.fault.v3.FaultRateLimit.HeaderLimit': {},
  'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation': {
    honoured: 'mutations most_specific_header_mutations_wins',
  },
  'envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute': { honoured: 'mutations' },
  'envoy.extensions.filters.http.header_mutation.v3.Mutations': {
    honoured: 'request_mutations response_mutations',
    refused: {
      'headers are edited, the query is not': 'query_parameter_mutations',
      'headers are edited, trailers are not': 'response_trailers_mutations request_trailers_mutations',
      'there are no formatters to choose from': 'formatters',
    },
  },
  'envoy.extensions.filters.http.header_to_metadata.v3.Config': {
    honoured: 'request_rules response_rules',
    refused: { 'no statistics are kept of it': 'stat_prefix' },
  },
  'envoy.extensions.filters.http.header_to_metadata.v3.Config.Rule': {
    honoured: 'header cookie on_header_present on_header_missing remove',
  },
  'envoy.extensions.filters.http.header_to_metadata.v3.Config.KeyValuePair': {
    honoured: 'metadata_namespace key value regex_value_rewrite type encode',
    never: { 'values are text and numbers': { type: 'PROTOBUF_VALUE' } },
  },
  'envoy.extensions.filters.http.health_check.v3.HealthCheck': {
    honoured: 'pass_through_mode headers',
    never: { 'the proxy answers by itself': { pass_through_mode: true } },
    refused: {
      'no answers of the application are kept': 'cache_time',
      'the answer does not go by the health of clusters': 'cluster_min_healthy_percentages',
    },
  },
  'envoy.extensions.filters.http.set_filter_state.v3.Config': {
    honoured: 'on_request_headers',
    refused: { 'the route stays the one that was found': 'clear_route_cache' },
  },
  'envoy.extensions.filters.http.set_metadata.v3.Config': { honoured: 'metadata_namespace value metadata' },
  'envoy.extensions.filters.http.set_metadata.v3.Metadata': {
    honoured: 'metadata_namespace allow_overwrite value',
    refused: { 'nothing here reads typed metadata': 'typed_value' },
  },
  'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb': {},
  'envoy.extensions.filters.http.grpc_http1_bridge.v3.Config': {
    refused: {
      'bodies that are no frames of gRPC stay as they are': 'upgrade_protobuf_to_grpc ignore_query_parameters',
    },
  },
  'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig': {
    honoured: `individual_method_stats_allowlist stats_for_all_methods enable_upstream_stats
      replace_dots_in_grpc_service_name`,
    hints: {
      'no operator here prints that state, and no filter reads it: the counts are statistics': 'emit_filter_state',
    },
  },
  'envoy.config.core.v3.GrpcMethodList': { honoured: 'services' },
  'envoy.config.core.v3.GrpcMethodList.Service': { honoured: 'name method_names' },
  'envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder': {
    honoured: `proto_descriptor proto_descriptor_bin services print_options match_incoming_request_route
      ignored_query_parameters auto_mapping ignore_unknown_query_parameters convert_grpc_status query_param_unescape_plus
      request_validation_options max_request_body_size max_response_body_size`,
    refused: {
      'paths are unescaped in one way': 'url_unescape_spec',
      'paths are matched by the custom verbs of the services': 'match_unregistered_custom_verb',
      'values of enums are written as they are declared': 'case_insensitive_enum_parsing',
      'a parameter that names no field is refused or ignored': 'capture_unknown_query_parameters',
    },
  },
  'envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder.PrintOptions': {
    honoured: `add_whitespace always_print_primitive_fields always_print_enums_as_ints preserve_proto_field_names
      stream_newline_delimited`,
    refused: { 'streams are lists, or lines': 'stream_sse_style_delimited' },
  },
  'envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder.RequestValidationOptions': {
    honoured: 'reject_unknown_method reject_unknown_query_parameters',
    refused: { 'the body wins over the path': 'reject_binding_body_field_collisions' },
  },
};
