import type { Tables } from './table.ts';

const NO_PLUGINS = 'there are no plugins to choose from';
const NO_STATISTICS = 'no statistics are kept of single routes';
const ONE_BUFFER = 'bodies that are gathered have the limit of the listener or of the filter that gathers them';
const BY_FILTER = 'the older form of the HTTP filter cors';
const MATCHED_BY_REQUEST = 'routes are chosen by what the request itself says';
const NO_TRACES = 'no traces are made';
const HEADER_EDITS =
  'request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove';

/** Route tables, virtual hosts, routes and what they match. */
export const ROUTE: Tables = {
  'envoy.config.route.v3.RouteConfiguration': {
    honoured: `name virtual_hosts internal_only_headers most_specific_header_mutations_wins validate_clusters
      max_direct_response_body_size_bytes request_mirror_policies ignore_port_in_host_matching
      ignore_path_parameters_in_path_matching typed_per_filter_config ${HEADER_EDITS}`,
    hints: { 'no operator here prints it, and nothing else reads it': 'metadata' },
    refused: {
      'virtual hosts come with their table': 'vhds',
      [NO_PLUGINS]: 'cluster_specifier_plugins route_specifiers',
      'the virtual host is found by the host of the request': 'vhost_header',
    },
  },
  'envoy.config.route.v3.VirtualHost': {
    honoured: `name domains routes require_tls rate_limits typed_per_filter_config include_request_attempt_count
      include_attempt_count_in_response retry_policy hedge_policy request_mirror_policies ${HEADER_EDITS}`,
    hints: { 'no operator here prints it, and nothing else reads it': 'metadata' },
    refused: {
      'routes are tried in their order': 'matcher',
      'no statistics are kept of virtual clusters': 'virtual_clusters',
      [BY_FILTER]: 'cors',
      [NO_PLUGINS]: 'retry_policy_typed_config route_specifiers',
      'the header that says so is not sent': 'include_is_timeout_retry_header',
      [ONE_BUFFER]: 'per_request_buffer_limit_bytes request_body_buffer_limit',
    },
  },
  'envoy.config.route.v3.Route': {
    honoured: `name match route redirect direct_response metadata typed_per_filter_config ${HEADER_EDITS}`,
    hints: { [NO_TRACES]: 'decorator tracing' },
    refused: {
      'a filter answers by its own configuration': 'filter_action',
      'there are no servers of APIs beside the listeners': 'non_forwarding_action',
      [NO_STATISTICS]: 'stat_prefix',
      [ONE_BUFFER]: 'per_request_buffer_limit_bytes request_body_buffer_limit',
      [NO_PLUGINS]: 'route_specifiers',
    },
  },
  'envoy.config.route.v3.RouteMatch': {
    honoured: `prefix path safe_regex connect_matcher path_separated_prefix path_match_policy case_sensitive
      runtime_fraction headers query_parameters grpc tls_context`,
    refused: { [MATCHED_BY_REQUEST]: 'dynamic_metadata filter_state', 'match the header cookie': 'cookies' },
  },
  'envoy.config.route.v3.RouteMatch.ConnectMatcher': {},
  'envoy.config.route.v3.RouteMatch.GrpcRouteMatchOptions': {},
  'envoy.config.route.v3.RouteMatch.TlsContextMatchOptions': { honoured: 'presented validated' },
  'envoy.config.route.v3.HeaderMatcher': {
    honoured: `name exact_match safe_regex_match range_match present_match prefix_match suffix_match contains_match
      string_match invert_match treat_missing_header_as_empty`,
  },
  'envoy.config.route.v3.QueryParameterMatcher': { honoured: 'name string_match present_match' },
  'envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig': { honoured: 'path_template' },
  'envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig': { honoured: 'path_template_rewrite' },
  'envoy.config.route.v3.DirectResponseAction': {
    honoured: 'status body',
    refused: { 'a body is sent as it stands': 'body_format' },
  },
  'envoy.config.route.v3.RedirectAction': {
    honoured: `https_redirect scheme_redirect host_redirect port_redirect path_redirect prefix_rewrite regex_rewrite
      response_code strip_query`,
    refused: { 'paths are rewritten by prefix_rewrite and regex_rewrite': 'path_rewrite' },
  },
  'envoy.config.route.v3.FilterConfig': {
    honoured: 'config disabled',
    refused: { 'a filter that is not known is refused': 'is_optional' },
  },
  'envoy.config.route.v3.WeightedCluster': {
    honoured: 'clusters total_weight',
    refused: {
      'weights are those of the configuration': 'runtime_key_prefix',
      'the share is drawn for each request': 'header_name use_hash_policy',
    },
  },
  'envoy.config.route.v3.WeightedCluster.ClusterWeight': {
    honoured: `name cluster_header weight metadata_match typed_per_filter_config host_rewrite_literal ${HEADER_EDITS}`,
  },
};
