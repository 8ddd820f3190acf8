import type { Tables } from './table.ts';

const NO_XDSTP = 'resources are named by plain names';

/** What stands in many messages: addresses, sources of configuration and of data, headers, values of runtime. */
export const CORE: Tables = {
  'envoy.config.core.v3.Address': {
    honoured: 'socket_address pipe',
    refused: { 'there are no listeners within the process': 'envoy_internal_address' },
  },
  'envoy.config.core.v3.SocketAddress': {
    honoured: 'address port_value ipv4_compat',
    refused: {
      'nothing but TCP is spoken': 'protocol',
      'ports are given by number': 'named_port',
      'there are no resolvers of addresses to choose from': 'resolver_name',
      'the proxy stays in its own network namespace': 'network_namespace_filepath',
    },
  },
  'envoy.config.core.v3.Pipe': {
    honoured: 'path',
    hints: { 'sockets are connected to, never made, and keep the mode they have': 'mode' },
  },
  'envoy.config.core.v3.BindConfig': {
    honoured: 'source_address extra_source_addresses',
    refused: {
      'sockets get no options of their own': 'socket_options freebind',
      'the older form of extra_source_addresses': 'additional_source_addresses',
      'source addresses are chosen by the family of the endpoint': 'local_address_selector',
      'the proxy stays in its own network namespace': 'validate_network_namespaces',
    },
  },
  'envoy.config.core.v3.ExtraSourceAddress': {
    honoured: 'address',
    refused: { 'sockets get no options of their own': 'socket_options' },
  },
  'envoy.config.core.v3.CidrRange': { honoured: 'address_prefix prefix_len' },
  'envoy.config.core.v3.TcpKeepalive': { honoured: 'keepalive_probes keepalive_time keepalive_interval' },
  'envoy.config.core.v3.Metadata': {
    honoured: 'filter_metadata',
    hints: { 'nothing here reads typed metadata': 'typed_filter_metadata' },
  },
  'envoy.config.core.v3.Locality': { honoured: 'region zone sub_zone' },
  'envoy.config.core.v3.Node': {
    honoured: `id cluster metadata dynamic_parameters locality user_agent_name user_agent_version
      user_agent_build_version extensions client_features listening_addresses`,
  },
  'envoy.config.core.v3.BuildVersion': { honoured: 'version metadata' },
  'envoy.config.core.v3.Extension': { honoured: 'name category type_descriptor version disabled type_urls' },
  'envoy.type.v3.SemanticVersion': { honoured: 'major_number minor_number patch' },
  'xds.core.v3.ContextParams': { honoured: 'params' },
  'envoy.config.core.v3.DataSource': {
    honoured: 'filename inline_bytes inline_string environment_variable',
    refused: { 'files are read once, when the configuration arrives': 'watched_directory' },
  },
  'envoy.config.core.v3.HeaderValue': { honoured: 'key value raw_value' },
  'envoy.config.core.v3.HeaderValueOption': { honoured: 'header append append_action keep_empty_value' },
  'envoy.config.common.mutation_rules.v3.HeaderMutation': {
    honoured: 'append remove',
    refused: { 'headers are removed by their whole names': 'remove_on_match' },
  },
  'envoy.config.core.v3.RuntimeFeatureFlag': { honoured: 'default_value runtime_key' },
  'envoy.config.core.v3.RuntimeFractionalPercent': { honoured: 'default_value runtime_key' },
  'envoy.config.core.v3.RuntimeUInt32': { honoured: 'default_value runtime_key' },
  'envoy.config.core.v3.RuntimeDouble': { honoured: 'default_value runtime_key' },
  'envoy.config.core.v3.TransportSocket': { honoured: 'name typed_config' },
  'envoy.config.core.v3.TypedExtensionConfig': { honoured: 'name typed_config' },
  'xds.type.v3.TypedStruct': { honoured: 'type_url value' },
  'udpa.type.v1.TypedStruct': { honoured: 'type_url value' },
  'envoy.config.core.v3.SubstitutionFormatString': {
    honoured: 'text_format json_format text_format_source omit_empty_values content_type formatters',
    hints: { 'the keys of an object are always sorted': 'json_format_options' },
  },
  'envoy.config.core.v3.ConfigSource': {
    honoured: 'ads self api_config_source initial_fetch_timeout',
    hints: { 'v3 is the only version there is': 'resource_api_version' },
    refused: {
      [NO_XDSTP]: 'authorities',
      'configuration comes by the aggregated stream, not from files': 'path path_config_source',
    },
  },
  'envoy.config.core.v3.AggregatedConfigSource': {},
  'envoy.config.core.v3.SelfConfigSource': { hints: { 'v3 is the only version there is': 'transport_api_version' } },
  'envoy.config.core.v3.ApiConfigSource': {
    honoured: 'api_type grpc_services set_node_on_first_message_only',
    inside: { grpc_services: 'envoy.config.core.v3.GrpcService (of a control plane)' },
    hints: {
      'v3 is the only version there is': 'transport_api_version',
      'they are of REST, which api_type cannot be': 'refresh_delay request_timeout',
    },
    refused: {
      'the control plane is called by gRPC, which grpc_services says': 'cluster_names',
      'requests are sent as soon as there is something to say': 'rate_limit_settings',
      'there are no validators of configuration to choose from': 'config_validators',
    },
  },
  'envoy.config.core.v3.ExtensionConfigSource': {
    honoured: 'config_source default_config apply_default_config_without_warming type_urls',
  },
  'envoy.config.core.v3.GrpcService': {
    honoured: 'envoy_grpc timeout initial_metadata',
    refused: {
      'services are called through clusters: use envoy_grpc': 'google_grpc',
      'calls of the proxy itself are made once': 'retry_policy',
    },
  },
  'envoy.config.core.v3.GrpcService.EnvoyGrpc': {
    honoured: 'cluster_name authority max_receive_message_length skip_envoy_headers',
    refused: { 'calls of the proxy itself are made once': 'retry_policy' },
  },
  'envoy.config.core.v3.GrpcService (of a control plane)': {
    honoured: 'envoy_grpc',
    inside: { envoy_grpc: 'envoy.config.core.v3.GrpcService.EnvoyGrpc (of a control plane)' },
    hints: { 'a stream has no end to wait for': 'timeout' },
    refused: {
      'services are called through clusters: use envoy_grpc': 'google_grpc',
      'a stream that broke is opened again, in growing intervals': 'retry_policy',
      'the control plane is told who asks by certificate and node': 'initial_metadata',
    },
  },
  'envoy.config.core.v3.GrpcService.EnvoyGrpc (of a control plane)': {
    honoured: 'cluster_name',
    hints: { 'headers of Envoy are never sent there': 'skip_envoy_headers' },
    refused: {
      'the authority is that of the cluster': 'authority',
      'a stream that broke is opened again, in growing intervals': 'retry_policy',
      'messages of the control plane have one limit': 'max_receive_message_length',
    },
  },
};
