import type { Tables } from './table.ts';

/** Endpoints of a cluster. */
export const ENDPOINT: Tables = {
  'envoy.config.endpoint.v3.ClusterLoadAssignment': { honoured: 'cluster_name endpoints named_endpoints policy' },
  'envoy.config.endpoint.v3.ClusterLoadAssignment.Policy': {
    honoured: 'overprovisioning_factor',
    refused: {
      'requests are not dropped by category': 'drop_overloads',
      'endpoints stay until others come': 'endpoint_stale_after',
      'endpoints of a priority count alike': 'weighted_priority_health',
    },
  },
  'envoy.config.endpoint.v3.LocalityLbEndpoints': {
    honoured: 'locality lb_endpoints load_balancer_endpoints load_balancing_weight priority',
    refused: {
      'endpoints come with their locality': 'leds_cluster_locality_config',
      'near endpoints are told by their priority': 'proximity',
      'endpoints are told apart by their own metadata': 'metadata',
    },
  },
  'envoy.config.endpoint.v3.LocalityLbEndpoints.LbEndpointList': { honoured: 'lb_endpoints' },
  'envoy.config.endpoint.v3.LbEndpoint': {
    honoured: 'endpoint endpoint_name health_status metadata load_balancing_weight',
  },
  'envoy.config.endpoint.v3.Endpoint': {
    honoured: 'address health_check_config hostname',
    refused: {
      'an endpoint has one address': 'additional_addresses',
      'endpoints are called by their address': 'observability_name',
    },
  },
  'envoy.config.endpoint.v3.Endpoint.HealthCheckConfig': {
    honoured: 'port_value hostname disable_active_health_check',
    refused: { 'the endpoint itself is checked': 'address' },
  },
};
