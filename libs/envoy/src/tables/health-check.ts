import type { Tables } from './table.ts';

/** Active health checks and the detection of outliers. */
export const HEALTH_CHECK: Tables = {
  'envoy.config.core.v3.HealthCheck': {
    honoured: `timeout interval initial_jitter interval_jitter interval_jitter_percent unhealthy_threshold
      healthy_threshold alt_port http_health_check tcp_health_check grpc_health_check no_traffic_interval
      no_traffic_healthy_interval unhealthy_interval unhealthy_edge_interval healthy_edge_interval`,
    hints: { 'each check opens a connection, which changes no verdict': 'reuse_connection' },
    refused: {
      'a check has no name': 'name',
      'there are no kinds of checks to choose from': 'custom_health_check',
      'verdicts are shown as statistics and on the admin page, not logged':
        'event_log_path event_logger event_service always_log_health_check_failures always_log_health_check_success',
      'checks use the transport of the endpoint': 'tls_options transport_socket_match_criteria',
    },
  },
  'envoy.config.core.v3.HealthCheck.HttpHealthCheck': {
    honoured: `host path send receive response_buffer_size request_headers_to_add request_headers_to_remove
      expected_statuses retriable_statuses codec_client_type method`,
    never: { 'HTTP/3 is not spoken': { codec_client_type: 'HTTP3' } },
    refused: {
      'a server does not say which service it is': 'service_name_matcher',
      'the version is codec_client_type': 'use_alpn_protocol',
    },
  },
  'envoy.config.core.v3.HealthCheck.TcpHealthCheck': {
    honoured: 'send receive',
    refused: { 'a check sends no PROXY header': 'proxy_protocol_config' },
  },
  'envoy.config.core.v3.HealthCheck.GrpcHealthCheck': { honoured: 'service_name authority initial_metadata' },
  'envoy.config.core.v3.HealthCheck.Payload': { honoured: 'text binary' },
  'envoy.config.cluster.v3.OutlierDetection': {
    honoured: `consecutive_5xx interval base_ejection_time max_ejection_percent enforcing_consecutive_5xx
      enforcing_success_rate success_rate_minimum_hosts success_rate_request_volume success_rate_stdev_factor
      consecutive_gateway_failure enforcing_consecutive_gateway_failure split_external_local_origin_errors
      consecutive_local_origin_failure enforcing_consecutive_local_origin_failure enforcing_local_origin_success_rate
      failure_percentage_threshold enforcing_failure_percentage enforcing_failure_percentage_local_origin
      failure_percentage_minimum_hosts failure_percentage_request_volume max_ejection_time max_ejection_time_jitter
      successful_active_health_check_uneject_host always_eject_one_host`,
    refused: {
      'there are no monitors to choose from': 'monitors',
      'a host is ejected or it is not': 'detect_degraded_hosts',
    },
  },
};
