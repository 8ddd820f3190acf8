import type { Tables } from './table.ts';

const SYSTEM_RESOLVER = "names are looked up by the system's resolver";

/** Clusters: where their hosts come from, how they are connected to. */
export const CLUSTER: Tables = {
  'envoy.config.cluster.v3.Cluster': {
    honoured: `transport_socket_matches name alt_stat_name type cluster_type eds_cluster_config connect_timeout lb_policy
      load_assignment health_checks max_requests_per_connection circuit_breakers upstream_http_protocol_options
      common_http_protocol_options http_protocol_options http2_protocol_options typed_extension_protocol_options
      dns_refresh_rate dns_failure_refresh_rate dns_lookup_family typed_dns_resolver_config dns_resolution_config
      outlier_detection cleanup_interval upstream_bind_config lb_subset_config ring_hash_lb_config maglev_lb_config
      original_dst_lb_config least_request_lb_config round_robin_lb_config common_lb_config transport_socket metadata
      protocol_selection upstream_connection_options load_balancing_policy wait_for_warm_on_init`,
    never: { 'a cluster is used when it is warm': { wait_for_warm_on_init: false } },
    inside: { common_http_protocol_options: 'envoy.config.core.v3.HttpProtocolOptions (of a cluster)' },
    hints: {
      'the resolver of the system tells no TTL, so dns_refresh_rate holds': 'respect_dns_ttl',
      'names are looked up by each proxy for itself, at its own time': 'dns_jitter',
      'a host that discovery removes goes at once, as with this field': 'ignore_health_on_host_removal',
      'what waits for a slow reader is bounded for every connection alike': 'per_connection_buffer_limit_bytes',
    },
    refused: {
      'the transport is chosen by transport_socket_matches': 'transport_socket_matcher',
      'statistics are chosen for the whole proxy': 'stats_matcher',
      'a connection that reads slowly is not closed for it': 'per_connection_buffer_high_watermark_timeout',
      [SYSTEM_RESOLVER]: 'dns_resolvers use_tcp_for_dns_lookups',
      'connections to a host that fails its checks end by themselves': 'close_connections_on_host_health_failure',
      'there are no filters of connections to a cluster': 'filters',
      'no load is reported': 'lrs_server lrs_report_endpoint_metrics',
      'statistics of a cluster are of one set': 'track_timeout_budgets track_cluster_stats',
      'there are no pools to choose from': 'upstream_config',
      'connections are opened when they are needed': 'preconnect_policy',
      'connections are shared by clients': 'connection_pool_per_downstream_connection',
      'requests wait in the order in which they came': 'queuing_policies',
    },
  },
  'envoy.config.cluster.v3.Cluster.TransportSocketMatch': { honoured: 'name match transport_socket' },
  'envoy.config.cluster.v3.Cluster.CustomClusterType': { honoured: 'name typed_config' },
  'envoy.config.cluster.v3.Cluster.EdsClusterConfig': { honoured: 'eds_config service_name' },
  'envoy.config.cluster.v3.Cluster.RefreshRate': { honoured: 'base_interval max_interval' },
  'envoy.config.cluster.v3.CircuitBreakers': {
    honoured: 'thresholds',
    refused: { 'limits are of all hosts together': 'per_host_thresholds' },
  },
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds': {
    honoured: 'priority max_connections max_pending_requests max_requests max_retries retry_budget track_remaining',
    refused: { 'pools are not counted': 'max_connection_pools' },
  },
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget': {
    honoured: 'budget_percent min_retry_concurrency',
    refused: { 'a budget goes by the requests that are under way': 'budget_interval' },
  },
  'envoy.config.cluster.v3.UpstreamConnectionOptions': {
    honoured: 'tcp_keepalive',
    refused: {
      'the interface is chosen by the system, and not kept': 'set_local_interface_name_on_upstream_connections',
      'an endpoint has one address': 'happy_eyeballs_config',
    },
  },
  'envoy.config.core.v3.DnsResolutionConfig': {
    hints: { [SYSTEM_RESOLVER]: 'dns_resolver_options' },
    refused: { [`${SYSTEM_RESOLVER}, at its addresses`]: 'resolvers' },
  },
  'envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig': {
    hints: {
      'queries are those of the resolver of the system': `filter_unroutable_families udp_max_queries rotate_nameservers
        edns0_max_payload_size max_udp_channel_duration reinit_channel_on_timeout qcache_max_ttl dns_resolver_options
        query_timeout_seconds query_tries`,
    },
    refused: { [`${SYSTEM_RESOLVER}, at its addresses`]: 'resolvers use_resolvers_as_fallback' },
  },
  'envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig': {
    hints: {
      'names are looked up as often as the rates say, with threads of the runtime': 'num_retries num_resolver_threads',
    },
  },
  'envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig': {
    honoured: 'dns_cache_config',
    refused: {
      'all hosts are in one cluster': 'sub_clusters_config',
      'a connection is used for the host that it was opened for': 'allow_coalesced_connections',
      'certificates are checked by auto_sni and auto_san_validation, where they are set':
        'allow_insecure_cluster_options',
    },
  },
  'envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig': {
    honoured: `name dns_lookup_family dns_refresh_rate host_ttl max_hosts dns_failure_refresh_rate
      typed_dns_resolver_config dns_resolution_config`,
    refused: {
      'lookups are not counted': 'dns_cache_circuit_breaker',
      [SYSTEM_RESOLVER]: 'use_tcp_for_dns_lookups dns_query_timeout',
      'hosts are looked up when somebody asks for them': 'preresolve_hostnames',
      'hosts are kept in memory': 'key_value_config',
      'the refresh rate holds for all hosts': 'dns_min_refresh_rate disable_dns_refresh_on_failure',
      'addresses are taken as they are found': 'resolved_address_filter',
    },
  },
};
