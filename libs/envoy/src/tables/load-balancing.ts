import type { MessageTable, Tables } from './table.ts';

const ONE_RING = 'a host takes what the ring gives it';
const NO_ZONES =
  'the proxy has no cluster of its own (cluster_manager.local_cluster_name), without which nothing goes by zone';
const SLOW_START: MessageTable = { honoured: 'slow_start_window aggression min_weight_percent' };

/** How hosts are chosen: the older fields of a cluster, policies, subsets. */
export const LOAD_BALANCING: Tables = {
  'envoy.config.cluster.v3.Cluster.CommonLbConfig': {
    honoured: 'healthy_panic_threshold zone_aware_lb_config locality_weighted_lb_config consistent_hashing_lb_config',
    hints: { 'updates are cheap: none waits to be merged': 'update_merge_window' },
    refused: {
      'new hosts are used at once': 'ignore_new_hosts_until_first_hc',
      'connections to hosts that stay are kept': 'close_connections_on_host_set_change',
      'hosts are not chosen past the policy': 'override_host_status',
    },
  },
  'envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig': {
    honoured: 'use_hostname_for_hashing',
    refused: { [ONE_RING]: 'hash_balance_factor' },
  },
  'envoy.config.cluster.v3.Cluster.CommonLbConfig.LocalityWeightedLbConfig': {},
  'envoy.config.cluster.v3.Cluster.CommonLbConfig.ZoneAwareLbConfig': {
    honoured: 'fail_traffic_on_panic',
    hints: { [NO_ZONES]: 'routing_enabled min_cluster_size' },
  },
  'envoy.config.cluster.v3.Cluster.RoundRobinLbConfig': { honoured: 'slow_start_config' },
  'envoy.config.cluster.v3.Cluster.LeastRequestLbConfig': {
    honoured: 'choice_count active_request_bias slow_start_config',
  },
  'envoy.config.cluster.v3.Cluster.SlowStartConfig': SLOW_START,
  'envoy.config.cluster.v3.Cluster.RingHashLbConfig': {
    honoured: 'minimum_ring_size maximum_ring_size hash_function',
  },
  'envoy.config.cluster.v3.Cluster.MaglevLbConfig': { honoured: 'table_size' },
  'envoy.config.cluster.v3.Cluster.OriginalDstLbConfig': {
    honoured: 'upstream_port_override',
    refused: { 'the destination is that of the connection': 'use_http_header http_header_name metadata_key' },
  },
  'envoy.config.cluster.v3.Cluster.LbSubsetConfig': {
    honoured: 'fallback_policy default_subset subset_selectors',
    refused: {
      'a subset is balanced without regard to localities': 'locality_weight_aware scale_locality_weight',
      'a subset in panic keeps to its hosts': 'panic_mode_any',
      'a list is one value': 'list_as_any',
      'a request has one set of metadata': 'metadata_fallback_policy',
    },
  },
  'envoy.config.cluster.v3.Cluster.LbSubsetConfig.LbSubsetSelector': {
    honoured: 'keys fallback_policy',
    never: { 'a subset falls back to all hosts, to the default one or to none': { fallback_policy: 'KEYS_SUBSET' } },
    refused: {
      'a subset may hold several hosts': 'single_host_per_subset',
      'a subset falls back to all hosts, to the default one or to none': 'fallback_keys_subset',
    },
  },
  'envoy.config.cluster.v3.LoadBalancingPolicy': { honoured: 'policies' },
  'envoy.config.cluster.v3.LoadBalancingPolicy.Policy': { honoured: 'typed_extension_config' },
  'envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin': {
    honoured: 'slow_start_config locality_lb_config',
  },
  'envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest': {
    honoured: 'choice_count active_request_bias slow_start_config locality_lb_config enable_full_scan selection_method',
    never: {
      'of all hosts a few are drawn': { selection_method: 'FULL_SCAN', enable_full_scan: true },
    },
  },
  'envoy.extensions.load_balancing_policies.random.v3.Random': { honoured: 'locality_lb_config' },
  'envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash': {
    honoured: `hash_function minimum_ring_size maximum_ring_size use_hostname_for_hashing consistent_hashing_lb_config
      locality_weighted_lb_config`,
    refused: { [ONE_RING]: 'hash_balance_factor' },
  },
  'envoy.extensions.load_balancing_policies.maglev.v3.Maglev': {
    honoured: 'table_size consistent_hashing_lb_config locality_weighted_lb_config',
  },
  'envoy.extensions.load_balancing_policies.common.v3.ConsistentHashingLbConfig': {
    honoured: 'use_hostname_for_hashing',
    refused: { [ONE_RING]: 'hash_balance_factor', 'what is hashed is said by the route': 'hash_policy' },
  },
  'envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig': {
    honoured: 'locality_weighted_lb_config',
    refused: { [NO_ZONES]: 'zone_aware_lb_config' },
  },
  'envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.LocalityWeightedLbConfig': {},
  'envoy.extensions.load_balancing_policies.common.v3.SlowStartConfig': SLOW_START,
};
