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

/** Rows that are not built, each with the fields by which a configuration is refused. */
export const NOT_BUILT: readonly (readonly [row: string, title: string, refused: string])[] = [
  ['A4', 'Routes by JWT claims', '`RequestAuthentication`, `dynamic_metadata` of a route match'],
  [
    'B13',
    'TCP tunnel, PROXY protocol out, sticky sessions of a DestinationRule',
    "`tunnel`, `proxyProtocol` (a cluster's `upstream_proxy_protocol` and `tunneling_config` are honoured), sticky sessions have no field",
  ],
  ['V27', 'HTTP/3', '`codec_type: HTTP3`, `udp_listener_config`'],
  ['V31', 'Internal redirects and on-demand routes', '`internal_redirect_policy`, `vhds`, `scoped_routes`'],
  ['V37', 'Protocols of databases', 'the network filters by their types; such ports are TCP'],
  ['V59', 'Authentication of administration pages', 'nothing to refuse: they listen on loopback, changes are by POST'],
];
