import { compileSupport, honours, notThisValue, notYet } from '../support/support.ts';
import type { SupportTable } from '../support/support.ts';

/**
 * Istio's defaults for fields that this version does not honour: a file that spells them out asks for what happens
 * anyway. Taken from Istio's documentation of MeshConfig and ProxyConfig and from the file that its installer writes.
 */
const ISTIO_DEFAULTS = {
  ingressClass: 'istio',
  ingressService: 'istio-ingressgateway',
  ingressSelector: 'ingressgateway',
  ingressControllerMode: 'STRICT',
  enableTracing: true,
  inboundTrafficPolicy: { mode: 'PASSTHROUGH' },
  h2UpgradePolicy: 'DO_NOT_UPGRADE',
  enablePrometheusMerge: true,
  hboneIdleTimeout: '1h',
  pathNormalization: { normalization: 'DEFAULT' },
  defaultProviders: { metrics: ['prometheus'] },
  meshMTLS: { minProtocolVersion: 'TLS_AUTO' },
  tlsDefaults: { minProtocolVersion: 'TLS_AUTO' },
  defaultConfig: {
    configPath: './etc/istio/proxy',
    binaryPath: '/usr/local/bin/envoy',
    serviceCluster: 'istio-proxy',
    drainDuration: '45s',
    terminationDrainDuration: '5s',
    discoveryAddress: 'istiod.istio-system.svc:15012',
    proxyAdminPort: 15_000,
    controlPlaneAuthPolicy: 'MUTUAL_TLS',
    statNameLength: 189,
    statusPort: 15_020,
    interceptionMode: 'REDIRECT',
    // An application is started when its proxy is ready, asked for or not.
    holdApplicationUntilProxyStarts: true,
  },
};

/** What this version honours of MeshConfig. All other fields are refused unless written with Istio's default. */
export const MESH_CONFIG_SUPPORT: SupportTable = compileSupport(
  [
    ...honours('', 'trustDomain', 'trustDomainAliases', 'rootNamespace', 'enableAutoMtls'),
    ...honours(
      '',
      'proxyListenPort',
      'proxyInboundListenPort',
      'connectTimeout',
      'dnsRefreshRate',
      'protocolDetectionTimeout',
    ),
    ...honours('localityLbSetting', 'enabled', 'distribute', 'failover', 'failoverPriority'),
    ...honours('outboundTrafficPolicy', 'mode'),
    notYet('outboundTrafficPolicy.tls', 'connections to unknown hosts would be made without it'),
    notThisValue(
      'outboundTrafficPolicy.mode',
      'ALLOW_ANY_DYNAMIC_DNS',
      'unknown hosts could be reached by address only',
    ),
    ...honours('', 'defaultServiceExportTo', 'defaultVirtualServiceExportTo', 'defaultDestinationRuleExportTo'),
    ...honours('', 'accessLogFile', 'accessLogFormat', 'accessLogEncoding'),
    ...honours('defaultHttpRetryPolicy', 'attempts', 'retryOn', 'perTryTimeout', 'backoff'),
    notYet('extensionProviders', 'authorisation, tracing and logs would not reach these services'),
    notYet('defaultConfig', 'proxies would run with the default'),
    notYet('caCertificates', 'certificates signed by these authorities would be refused'),
    notYet('pathNormalization', 'paths would be compared as they are by default'),
    notYet('meshMTLS', 'connections between proxies would have the default bounds on TLS'),
    notYet('discoverySelectors', 'all namespaces would be read'),
  ],
  { defaults: ISTIO_DEFAULTS },
);
