import type { MessageTable, Tables } from './table.ts';

const NO_HTTP3 = 'HTTP/3 is not spoken';
const PLAIN_STREAMS = 'a request that breaks the rules ends its connection, or its stream, as the protocol says';

const HTTP_1: MessageTable = {
  honoured: `accept_http_10 default_host_for_http_10 header_key_format enable_trailers allow_custom_methods
    allow_absolute_url`,
  never: { 'a proxy must take whole URLs': { allow_absolute_url: false } },
  hints: { 'there is one parser': 'use_balsa_parser' },
  refused: {
    'a message with a length and chunks is never guessed at': 'allow_chunked_length',
    [PLAIN_STREAMS]: 'override_stream_error_on_invalid_http_message',
    'requests are sent with a path': 'send_fully_qualified_url',
    'upgrades are chosen by upgrade_configs': 'ignore_http_11_upgrade',
  },
};

/** Options of HTTP/1 and HTTP/2, of a connection manager and of a cluster. */
export const PROTOCOL: Tables = {
  'envoy.config.core.v3.Http1ProtocolOptions': HTTP_1,
  'envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat': { honoured: 'proper_case_words stateful_formatter' },
  'envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat.ProperCaseWords': {},
  'envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig': {
    honoured: 'formatter_type_on_envoy_headers',
    refused: { 'the words beside a status are those of the status': 'forward_reason_phrase' },
  },
  'envoy.config.core.v3.Http2ProtocolOptions': {
    honoured: `hpack_table_size max_concurrent_streams initial_stream_window_size initial_connection_window_size
      allow_connect max_consecutive_inbound_frames_with_empty_payload max_inbound_priority_frames_per_stream
      max_inbound_window_update_frames_per_data_frame_sent custom_settings_parameters connection_keepalive`,
    hints: {
      'there is one codec': 'use_oghttp2_codec',
      'a message that breaks the rules ends its stream, never its connection':
        'override_stream_error_on_invalid_http_message',
    },
    refused: {
      'METADATA frames are not sent on': 'allow_metadata max_metadata_size',
      'frames that wait to be sent have limits of their own': 'max_outbound_frames max_outbound_control_frames',
      'the older form of override_stream_error_on_invalid_http_message': 'stream_error_on_invalid_http_messaging',
      'headers are packed as the HTTP/2 library does it': 'enable_huffman_encoding',
      'a header is bounded by the limit of all of them': 'max_header_field_size_kb',
      'bytes above 127 may stand in values of headers': 'disallow_obs_text',
      'streams that are reset early have one limit': 'stream_reset_burst stream_reset_rate',
    },
  },
  'envoy.config.core.v3.Http2ProtocolOptions.SettingsParameter': { honoured: 'identifier value' },
  'envoy.config.core.v3.KeepaliveSettings': {
    honoured: 'interval timeout',
    refused: {
      'pings go out at equal intervals': 'interval_jitter',
      'pings go out whether or not a connection is idle': 'connection_idle_interval',
    },
  },
  'envoy.config.core.v3.HttpProtocolOptions': {
    honoured: `idle_timeout max_connection_duration max_headers_count max_stream_duration
      headers_with_underscores_action max_requests_per_connection`,
    refused: {
      'the time of a connection is not drawn': 'max_connection_duration_jitter',
      'headers of responses have one limit': 'max_response_headers_kb',
    },
  },
  'envoy.config.core.v3.HttpProtocolOptions (of a cluster)': {
    honoured: 'idle_timeout max_connection_duration max_stream_duration max_requests_per_connection',
    hints: {
      'Envoy too looks at names of headers that clients send, not at those of a cluster':
        'headers_with_underscores_action',
    },
    refused: {
      'the time of a connection is not drawn': 'max_connection_duration_jitter',
      'headers of responses have one limit': 'max_response_headers_kb max_headers_count',
    },
  },
  'envoy.config.core.v3.UpstreamHttpProtocolOptions': {
    honoured: 'auto_sni auto_san_validation',
    refused: { 'the server name is read off the host of the request': 'override_auto_sni_header' },
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    honoured: `common_http_protocol_options upstream_http_protocol_options explicit_http_config
      use_downstream_protocol_config auto_config http_filters`,
    inside: { common_http_protocol_options: 'envoy.config.core.v3.HttpProtocolOptions (of a cluster)' },
    refused: {
      'headers are checked in one way': 'header_validation_config',
      'outliers are told by the status alone': 'outlier_detection',
      'it is said by the route': 'request_mirror_policies hash_policy retry_policy',
    },
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig': {
    honoured: 'http_protocol_options http2_protocol_options',
    refused: { [NO_HTTP3]: 'http3_protocol_options' },
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig': {
    honoured: 'http_protocol_options http2_protocol_options',
    refused: { [NO_HTTP3]: 'http3_protocol_options alternate_protocols_cache_options' },
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig': {
    honoured: 'http_protocol_options http2_protocol_options',
    refused: { [NO_HTTP3]: 'http3_protocol_options' },
  },
};
