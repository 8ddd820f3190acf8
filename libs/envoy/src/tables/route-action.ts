import type { Tables } from './table.ts';

const NO_PLUGINS = 'there are no plugins to choose from';
const NO_INTERNAL_REDIRECTS = 'redirects are sent to the client';

/** What a route does with a request that it forwards. */
export const ROUTE_ACTION: Tables = {
  'envoy.config.route.v3.RouteAction': {
    honoured: `cluster cluster_header weighted_clusters cluster_not_found_response_code metadata_match prefix_rewrite
      regex_rewrite path_rewrite_policy host_rewrite_literal auto_host_rewrite host_rewrite_header
      host_rewrite_path_regex append_x_forwarded_host timeout idle_timeout retry_policy request_mirror_policies priority
      rate_limits include_vh_rate_limits hash_policy max_grpc_timeout grpc_timeout_offset upgrade_configs hedge_policy
      max_stream_duration`,
    refused: {
      [NO_PLUGINS]: 'cluster_specifier_plugin inline_cluster_specifier_plugin retry_policy_typed_config',
      'paths are rewritten by prefix_rewrite, regex_rewrite and path_rewrite_policy': 'path_rewrite',
      'hosts are rewritten by the other fields of host_rewrite_specifier': 'host_rewrite',
      'requests of the first flight of TLS are not told apart': 'early_data_policy',
      'the older form of the HTTP filter cors': 'cors',
      [NO_INTERNAL_REDIRECTS]: 'internal_redirect_policy internal_redirect_action max_internal_redirects',
      'a stream that waits for its reader has the time of idle_timeout': 'flush_timeout',
    },
  },
  'envoy.config.route.v3.RouteAction.HashPolicy': {
    honoured: 'header cookie connection_properties query_parameter terminal',
    refused: { 'filter state is not hashed': 'filter_state' },
  },
  'envoy.config.route.v3.RouteAction.HashPolicy.Header': { honoured: 'header_name regex_rewrite' },
  'envoy.config.route.v3.RouteAction.HashPolicy.Cookie': { honoured: 'name ttl path attributes' },
  'envoy.config.route.v3.RouteAction.HashPolicy.CookieAttribute': { honoured: 'name value' },
  'envoy.config.route.v3.RouteAction.HashPolicy.ConnectionProperties': { honoured: 'source_ip' },
  'envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter': { honoured: 'name' },
  'envoy.config.route.v3.RouteAction.MaxStreamDuration': {
    honoured: 'max_stream_duration grpc_timeout_header_max grpc_timeout_header_offset',
  },
  'envoy.config.route.v3.RouteAction.RequestMirrorPolicy': {
    honoured: 'cluster cluster_header runtime_fraction disable_shadow_host_suffix_append',
    hints: { 'no traces are made, so none is sampled': 'trace_sampled' },
    refused: { 'a mirrored request is like its original': 'request_headers_mutations host_rewrite_literal' },
  },
  'envoy.config.route.v3.RouteAction.UpgradeConfig': { honoured: 'upgrade_type enabled connect_config' },
  'envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig': {
    refused: { 'tunnels are opened by CONNECT, and carry the bytes alone': 'proxy_protocol_config allow_post' },
  },
  'envoy.config.route.v3.HedgePolicy': {
    honoured: 'hedge_on_per_try_timeout',
    refused: { 'a request begins with one try': 'initial_requests additional_request_chance' },
    harmless: { initial_requests: 1 },
  },
  'envoy.config.route.v3.RetryPolicy': {
    honoured: `retry_on num_retries per_try_timeout per_try_idle_timeout retry_priority retry_host_predicate
      host_selection_retry_max_attempts retriable_status_codes retry_back_off rate_limited_retry_back_off
      retriable_headers retriable_request_headers`,
    refused: {
      [NO_PLUGINS]: 'retry_options_predicates',
      'a request stays with the cluster it was sent to': 'refresh_cluster_on_retry',
    },
  },
  'envoy.config.route.v3.RetryPolicy.RetryBackOff': { honoured: 'base_interval max_interval' },
  'envoy.config.route.v3.RetryPolicy.RateLimitedRetryBackOff': { honoured: 'reset_headers max_interval' },
  'envoy.config.route.v3.RetryPolicy.ResetHeader': { honoured: 'name format' },
  'envoy.config.route.v3.RetryPolicy.RetryHostPredicate': { honoured: 'name typed_config' },
  'envoy.config.route.v3.RetryPolicy.RetryPriority': { honoured: 'name typed_config' },
  'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate': {},
  'envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig': { honoured: 'update_frequency' },
};
