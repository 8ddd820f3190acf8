import type { Tables } from './table.ts';

const ALL_OR_NONE = 'limits are the same for all requests';
const NO_DEFAULT = 'a descriptor without a value is left out';

/** Rate limits: the rules of routes, the local filter and the one that asks a service. */
export const RATE_LIMIT: Tables = {
  'envoy.config.route.v3.RateLimit': {
    honoured: 'stage actions',
    refused: {
      'limits are not switched by runtime': 'disable_key',
      'the limit is that of the service': 'limit',
      'every request counts once, when it comes': 'hits_addend apply_on_stream_done',
      'headers are those of the filter': 'x_ratelimit_option',
    },
  },
  'envoy.config.route.v3.RateLimit.Action': {
    honoured: `source_cluster destination_cluster request_headers remote_address generic_key header_value_match
      masked_remote_address query_parameter_value_match`,
    refused: {
      'descriptors are made of what the request itself says': 'dynamic_metadata metadata extension',
      'addresses are told to the service, which matches them': 'remote_address_match',
      'parameters of the query are matched by query_parameter_value_match': 'query_parameters',
    },
  },
  'envoy.config.route.v3.RateLimit.Action.SourceCluster': {},
  'envoy.config.route.v3.RateLimit.Action.DestinationCluster': {},
  'envoy.config.route.v3.RateLimit.Action.RemoteAddress': {},
  'envoy.config.route.v3.RateLimit.Action.RequestHeaders': { honoured: 'header_name descriptor_key skip_if_absent' },
  'envoy.config.route.v3.RateLimit.Action.GenericKey': {
    honoured: 'descriptor_value descriptor_key',
    refused: { [NO_DEFAULT]: 'default_value' },
  },
  'envoy.config.route.v3.RateLimit.Action.HeaderValueMatch': {
    honoured: 'descriptor_value descriptor_key expect_match headers',
    refused: { [NO_DEFAULT]: 'default_value' },
  },
  'envoy.config.route.v3.RateLimit.Action.QueryParameterValueMatch': {
    honoured: 'descriptor_value descriptor_key expect_match query_parameters',
    refused: { [NO_DEFAULT]: 'default_value' },
  },
  'envoy.config.route.v3.RateLimit.Action.MaskedRemoteAddress': { honoured: 'v4_prefix_mask_len v6_prefix_mask_len' },
  'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit': {
    honoured: `stat_prefix status token_bucket filter_enabled filter_enforced request_headers_to_add_when_not_enforced
      response_headers_to_add descriptors stage local_rate_limit_per_downstream_connection enable_x_ratelimit_headers
      vh_rate_limits always_consume_default_token_bucket rate_limited_as_resource_exhausted`,
    refused: {
      'a bucket is that of one proxy': 'local_cluster_rate_limit',
      'rules stand in routes and virtual hosts': 'rate_limits',
      'descriptors are those of the configuration': 'max_dynamic_descriptors',
      'retry-after is not sent': 'enable_retry_after_header',
    },
  },
  'envoy.extensions.common.ratelimit.v3.LocalRateLimitDescriptor': {
    honoured: 'entries token_bucket',
    refused: { 'a limit is enforced or it is not there': 'shadow_mode' },
  },
  'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.Entry': { honoured: 'key value' },
  'envoy.extensions.filters.http.ratelimit.v3.RateLimit': {
    honoured: `domain stage request_type timeout failure_mode_deny rate_limited_as_resource_exhausted rate_limit_service
      enable_x_ratelimit_headers disable_x_envoy_ratelimited_header rate_limited_status response_headers_to_add
      status_on_error stat_prefix`,
    refused: {
      [ALL_OR_NONE]: 'filter_enabled filter_enforced failure_mode_deny_percent',
      'rules stand in routes and virtual hosts': 'rate_limits',
      'what the service answers beside the verdict is not kept': 'metadata_namespace',
      'retry-after is not sent': 'enable_retry_after_header',
    },
  },
  'envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute': {
    honoured: 'vh_rate_limits domain',
    refused: { 'rules stand in routes and virtual hosts': 'override_option rate_limits' },
  },
  'envoy.config.ratelimit.v3.RateLimitServiceConfig': { honoured: 'grpc_service transport_api_version' },
};
