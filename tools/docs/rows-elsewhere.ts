/** Rows of the capability table that no scenario of the judge covers: what they are called, and the tests that show them. */
export const ELSEWHERE: readonly (readonly [row: string, title: string, tests: readonly string[]])[] = [
  ['A5', 'Source-aware match', ['libs/translate/golden/http-rules']],
  ['A8', 'Destination resolution', ['libs/translate/golden/http-rules', 'libs/translate/golden/canary']],
  ['A19', 'Visibility (exportTo)', ['apps/pilot/src/journeys/push.spec.ts']],
  ['A17', 'Delegated VirtualService', ['libs/translate/golden/delegates']],
  ['B5', 'Slow start', ['libs/balance/src/slow-start.spec.ts', 'libs/translate/golden/locality']],
  ['B1', 'Subsets by label', ['libs/translate/golden/canary', 'apps/pilot/src/journeys/traffic.spec.ts']],
  ['B2', 'Policy layering', ['libs/translate/golden/destination-rule-layers']],
  ['B6', 'Locality: shares and failover (not zoneAwareLbSetting)', ['libs/translate/golden/locality']],
  ['B12', 'Retry budget of a DestinationRule', ['libs/translate/golden/locality']],
  ['B11', 'Port-level policy', ['libs/translate/golden/destination-rule-layers']],
  ['C6', 'Egress through a gateway', ['libs/translate/golden/egress-gateway']],
  [
    'D9',
    'Protocol by port name',
    ['libs/translate/src/registry/registry.spec.ts', 'libs/model/src/port-protocol.spec.ts'],
  ],
  ['V1', 'Discovery: static, EDS, DNS, original destination', ['apps/proxy/src/upstream/journeys/discovery.spec.ts']],
  [
    'V6',
    'Slow start (not the filter stateful_session; zone_aware_lb_config has no local cluster to go by)',
    ['libs/balance/src/slow-start.spec.ts'],
  ],
  ['V10', 'Success-rate and failure-percentage ejection', ['apps/proxy/src/upstream/outlier-detector.spec.ts']],
  [
    'V54',
    'Statistics (not sinks)',
    ['apps/proxy/src/observe/metrics.spec.ts', 'apps/proxy/src/journeys/same-as-envoy/stats-config.spec.ts'],
  ],
  [
    'V56',
    'xDS client',
    [
      'apps/proxy/src/journeys/same-as-envoy/ads.spec.ts',
      'apps/proxy/src/journeys/same-as-envoy/ecds.spec.ts',
      'apps/proxy/src/config/proxy-config.spec.ts',
    ],
  ],
  [
    'V58',
    'Administration pages',
    ['apps/proxy/src/journeys/run-proxy.spec.ts', 'apps/proxy/src/journeys/same-as-envoy/config-dump.spec.ts'],
  ],
  [
    'V53',
    'Access log services, HTTP and TCP (not OTLP)',
    ['apps/proxy/src/journeys/same-as-envoy/access-log-service.spec.ts'],
  ],
  [
    'V60',
    'Drain',
    ['apps/proxy/src/journeys/rolling-drain.spec.ts', 'apps/proxy/src/http/journeys/shutting-down.spec.ts'],
  ],
  ['V63', 'Filter order', ['libs/translate/golden/explicit-sidecar']],
];

/** A row that is not built, and how a configuration that asks for it is refused. */
export interface NotBuilt {
  readonly row: string;
  readonly title: string;
  /** Fields of Envoy's messages (`envoy.config.route.v3.RouteConfiguration vhds`) that the tables must refuse. */
  readonly fields: readonly string[];
  /** What else is refused, or why there is nothing to refuse. */
  readonly otherwise: string;
}

export const NOT_BUILT: readonly NotBuilt[] = [
  {
    row: 'A4',
    title: 'Routes by JWT claims',
    fields: ['envoy.config.route.v3.RouteMatch dynamic_metadata'],
    otherwise: 'Istio’s `RequestAuthentication`',
  },
  {
    row: 'B13',
    title: 'TCP tunnel, PROXY protocol out, sticky sessions of a DestinationRule',
    fields: [],
    otherwise:
      "Istio’s `tunnel` and `proxyProtocol` (a cluster's `upstream_proxy_protocol` and `tunneling_config` are honoured); sticky sessions have no field",
  },
  {
    row: 'V27',
    title: 'HTTP/3',
    fields: [
      'envoy.config.listener.v3.Listener udp_listener_config',
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig http3_protocol_options',
    ],
    otherwise: '`codec_type: HTTP3`',
  },
  {
    row: 'V31',
    title: 'Internal redirects and on-demand routes',
    fields: [
      'envoy.config.route.v3.RouteAction internal_redirect_policy',
      'envoy.config.route.v3.RouteConfiguration vhds',
      'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager scoped_routes',
    ],
    otherwise: '',
  },
  {
    row: 'V37',
    title: 'Protocols of databases',
    fields: [],
    otherwise: 'the network filters by their types; such ports are TCP',
  },
  {
    row: 'V59',
    title: 'Authentication of administration pages',
    fields: ['envoy.config.bootstrap.v3.Admin allow_paths'],
    otherwise: 'otherwise nothing: they listen on loopback, changes are by POST',
  },
];
