import type { Tables } from './table.ts';

const NO_OPTIONS = 'sockets get no options of their own';
const IDLE_METADATA = 'no operator here prints it, and nothing else reads it';

/** Listeners, their filter chains and the filters that look at a connection before a chain is chosen. */
export const LISTENER: Tables = {
  'envoy.config.listener.v3.Listener': {
    honoured: `name address additional_addresses stat_prefix filter_chains default_filter_chain use_original_dst
      per_connection_buffer_limit_bytes deprecated_v1 listener_filters listener_filters_timeout
      continue_on_listener_filters_timeout traffic_direction access_log tcp_backlog_size bind_to_port
      ignore_global_conn_limit bypass_overload_manager enable_reuse_port`,
    never: { 'listeners share their ports with other workers': { enable_reuse_port: false } },
    hints: {
      [IDLE_METADATA]: 'metadata',
      'workers share ports wherever the system can': 'reuse_port',
      'the event loop takes what has arrived, and goes on with what it has before it takes more':
        'max_connections_to_accept_per_socket_event',
    },
    refused: {
      'the chain is chosen by filter_chain_match': 'filter_chain_matcher',
      'chains come with their listener': 'fcds_config',
      'sockets are not made transparent': 'transparent freebind',
      'only TCP is listened on': 'udp_listener_config enable_mptcp',
      'there are no listeners within the process': 'api_listener internal_listener',
      [NO_OPTIONS]: 'socket_options tcp_keepalive',
      'a listener always drains when it goes': 'drain_type',
      'connections do not begin with data in the SYN': 'tcp_fast_open_queue_length',
      'the system hands connections to workers': 'connection_balance_config',
      'statistics are chosen for the whole proxy': 'stats_matcher',
      'a connection that reads slowly is not closed for it': 'per_connection_buffer_high_watermark_timeout',
    },
    harmless: { tcp_fast_open_queue_length: 0 },
  },
  'envoy.config.listener.v3.Listener.DeprecatedV1': { honoured: 'bind_to_port' },
  'envoy.config.listener.v3.AdditionalAddress': {
    honoured: 'address',
    refused: { [NO_OPTIONS]: 'socket_options tcp_keepalive' },
  },
  'envoy.config.listener.v3.FilterChain': {
    honoured: 'filter_chain_match filters transport_socket transport_socket_connect_timeout name',
    hints: { [IDLE_METADATA]: 'metadata' },
    refused: { 'the older form of the listener filter proxy_protocol': 'use_proxy_proto' },
  },
  'envoy.config.listener.v3.FilterChainMatch': {
    honoured: `destination_port prefix_ranges direct_source_prefix_ranges source_type source_prefix_ranges source_ports
      server_names transport_protocol application_protocols`,
    refused: { 'Envoy never read it either': 'address_suffix suffix_len' },
  },
  'envoy.config.listener.v3.Filter': {
    honoured: 'name typed_config',
    refused: { 'network filters come with their listener': 'config_discovery' },
  },
  'envoy.config.listener.v3.ListenerFilter': {
    honoured: 'name typed_config filter_disabled',
    refused: { 'listener filters come with their listener': 'config_discovery' },
  },
  'envoy.config.listener.v3.ListenerFilterChainMatchPredicate': {
    honoured: 'or_match and_match not_match any_match destination_port_range',
  },
  'envoy.config.listener.v3.ListenerFilterChainMatchPredicate.MatchSet': { honoured: 'rules' },
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': {
    hints: { 'buffers grow as the bytes come': 'initial_read_buffer_size' },
    refused: {
      'no operator prints fingerprints': 'enable_ja3_fingerprinting enable_ja4_fingerprinting',
      'what is no ClientHello is taken for plain text': 'close_connection_on_client_hello_parsing_errors',
      'a ClientHello has one limit': 'max_client_hello_size',
    },
  },
  'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector': {},
  'envoy.extensions.filters.listener.original_dst.v3.OriginalDst': {},
  'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol': {
    honoured: 'allow_requests_without_proxy_protocol disallowed_versions stat_prefix',
    refused: { 'values of the header are not kept': 'rules pass_through_tlvs tlv_location' },
  },
};
