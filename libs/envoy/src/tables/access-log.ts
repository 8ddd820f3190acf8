import type { Tables } from './table.ts';

/** Access logs: who writes them, what they hold, what is left out. */
export const ACCESS_LOG: Tables = {
  'envoy.config.accesslog.v3.AccessLog': { honoured: 'name filter typed_config' },
  'envoy.config.accesslog.v3.AccessLogFilter': {
    honoured: `status_code_filter duration_filter not_health_check_filter runtime_filter and_filter or_filter header_filter
      response_flag_filter grpc_status_filter extension_filter metadata_filter log_type_filter`,
    refused: { 'no traces are made': 'traceable_filter' },
  },
  'envoy.config.accesslog.v3.AndFilter': { honoured: 'filters' },
  'envoy.config.accesslog.v3.OrFilter': { honoured: 'filters' },
  'envoy.config.accesslog.v3.ComparisonFilter': { honoured: 'op value' },
  'envoy.config.accesslog.v3.DurationFilter': { honoured: 'comparison' },
  'envoy.config.accesslog.v3.StatusCodeFilter': { honoured: 'comparison' },
  'envoy.config.accesslog.v3.NotHealthCheckFilter': {},
  'envoy.config.accesslog.v3.RuntimeFilter': {
    honoured: 'runtime_key percent_sampled',
    hints: { 'each request is drawn for by itself': 'use_independent_randomness' },
  },
  'envoy.config.accesslog.v3.HeaderFilter': { honoured: 'header' },
  'envoy.config.accesslog.v3.ResponseFlagFilter': { honoured: 'flags' },
  'envoy.config.accesslog.v3.GrpcStatusFilter': { honoured: 'statuses exclude' },
  'envoy.config.accesslog.v3.MetadataFilter': { honoured: 'matcher match_if_key_not_found' },
  'envoy.config.accesslog.v3.LogTypeFilter': { honoured: 'types exclude' },
  'envoy.config.accesslog.v3.ExtensionFilter': { honoured: 'name typed_config' },
  'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter': {
    honoured: 'expression',
    refused: { 'expressions are read in one way': 'cel_config' },
  },
  'envoy.extensions.access_loggers.file.v3.FileAccessLog': {
    honoured: 'path format json_format typed_json_format log_format',
  },
  'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog': { honoured: 'log_format' },
  'envoy.extensions.access_loggers.stream.v3.StderrAccessLog': { honoured: 'log_format' },
  'envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig': {
    honoured: `common_config additional_request_headers_to_log additional_response_headers_to_log
      additional_response_trailers_to_log`,
  },
  'envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig': { honoured: 'common_config' },
  'envoy.extensions.access_loggers.grpc.v3.CommonGrpcAccessLogConfig': {
    honoured: 'log_name grpc_service transport_api_version buffer_flush_interval buffer_size_bytes',
    refused: {
      'filter state is not among what is sent': 'filter_state_objects_to_log',
      'no traces are made, so there are no tags of them': 'custom_tags',
      'a stream that broke is opened again with the next entry': 'grpc_stream_retry_policy',
    },
  },
  'envoy.extensions.formatter.cel.v3.Cel': {
    refused: { 'expressions are read in one way': 'cel_config' },
  },
};
