import type { Tables } from './table.ts';

const ONE_LOG_LINE = 'a connection is logged once, when it ends';

/** Network filters but the HTTP connection manager. */
export const NETWORK_FILTERS: Tables = {
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy': {
    honoured: `stat_prefix cluster weighted_clusters idle_timeout access_log max_connect_attempts hash_policy
      tunneling_config max_downstream_connection_duration`,
    refused: {
      'clusters are never asked for on demand': 'on_demand',
      'hosts are not chosen by metadata for connections': 'metadata_match',
      'both sides have one idle time': 'downstream_idle_timeout upstream_idle_timeout',
      [ONE_LOG_LINE]: 'access_log_flush_interval flush_access_log_on_connected access_log_options',
      'connecting is tried again at once': 'backoff_options',
      'the time of a connection is not drawn': 'max_downstream_connection_duration_jitter_percentage',
      'values of the PROXY header are not sent': 'proxy_protocol_tlvs proxy_protocol_tlv_merge_policy',
      'the upstream connection is opened at once': 'upstream_connect_mode max_early_data_bytes',
      'a draining listener lets connections end by themselves': 'check_drain_close',
    },
  },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster': { honoured: 'clusters' },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight': {
    honoured: 'name weight',
    refused: { 'hosts are not chosen by metadata for connections': 'metadata_match' },
  },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig': {
    honoured: 'hostname use_post headers_to_add post_path',
    refused: {
      'what the tunnel answers is not kept': 'propagate_response_headers propagate_response_trailers',
      'requests for tunnels bear no id': 'request_id_extension request_id_header request_id_metadata_key',
      'there are no formatters to choose from': 'formatters',
    },
  },
  'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit': {
    honoured: 'stat_prefix max_connections delay runtime_enabled',
  },
  'envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit': {
    honoured: 'stat_prefix token_bucket runtime_enabled',
    refused: { 'every chain has a bucket of its own': 'share_key' },
  },
  'envoy.extensions.filters.network.direct_response.v3.Config': { honoured: 'response' },
  'envoy.extensions.filters.network.echo.v3.Echo': {},
  'envoy.extensions.filters.network.sni_cluster.v3.SniCluster': {},
  'envoy.extensions.filters.network.set_filter_state.v3.Config': {
    honoured: 'on_new_connection',
    refused: { 'state is set when the connection is accepted': 'on_downstream_tls_handshake on_downstream_data' },
  },
  'envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig': {
    honoured: 'dns_cache_config port_value',
    refused: { 'the address that was chosen is not kept': 'save_upstream_address' },
  },
  'envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue': {
    honoured: 'object_key factory_key format_string read_only skip_if_empty',
    refused: { 'state is not handed on to the upstream connection': 'shared_with_upstream' },
  },
};
