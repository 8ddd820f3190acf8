import { FAULT_CODES } from '../decode/fault.ts';
import type { Fault, FieldPath } from '../decode/fault.ts';
import type { IstioKind } from '../kinds.ts';
import { compileSupport, honours, notThisValue, notYet } from './support.ts';
import type { SupportLine, SupportTable } from './support.ts';

/** What this version does with a kind: honours these fields, or refuses the whole kind. */
export type KindSupport =
  | { readonly refused: false; readonly lines: readonly SupportLine[] }
  /** `consequence`: what would happen if the resource were passed over. */
  | { readonly refused: true; readonly consequence: string };

const OUTLIER_FIELDS = [
  'consecutiveErrors',
  'consecutive5xxErrors',
  'consecutiveGatewayErrors',
  'consecutiveLocalOriginFailures',
  'splitExternalLocalOriginErrors',
  'interval',
  'baseEjectionTime',
  'maxEjectionPercent',
  'minHealthPercent',
] as const;

/** Fields of a traffic policy that stands at `place`: of a host, a subset or (fewer) a port. */
function trafficPolicy(place: string): readonly SupportLine[] {
  const under = (field: string): string => `${place}.${field}`;
  return [
    ...honours(under('loadBalancer'), 'simple'),
    ...honours(
      under('loadBalancer.consistentHash'),
      'httpHeaderName',
      'httpCookie',
      'useSourceIp',
      'httpQueryParameterName',
      'minimumRingSize',
      'ringHash',
      'maglev',
    ),
    ...honours(under('loadBalancer.localityLbSetting'), 'enabled', 'distribute', 'failover', 'failoverPriority'),
    notYet(under('loadBalancer.zoneAwareLbSetting'), 'traffic would not prefer near endpoints'),
    ...honours(under('loadBalancer.warmup'), 'duration', 'minimumPercent', 'aggression'),
    ...honours(under('loadBalancer'), 'warmupDurationSecs'),
    ...honours(
      under('connectionPool.tcp'),
      'maxConnections',
      'connectTimeout',
      'idleTimeout',
      'tcpKeepalive',
      'maxConnectionDuration',
    ),
    ...honours(
      under('connectionPool.http'),
      'http1MaxPendingRequests',
      'http2MaxRequests',
      'maxRequestsPerConnection',
      'maxRetries',
      'idleTimeout',
    ),
    ...honours(
      under('connectionPool.http'),
      'h2UpgradePolicy',
      'useClientProtocol',
      'maxConcurrentStreams',
      'http2KeepAlive',
    ),
    ...honours(under('outlierDetection'), ...OUTLIER_FIELDS),
    notYet(
      under('outlierDetection.outlierDetectionHttpErrorCodes'),
      'endpoints with these statuses would keep getting traffic',
    ),
    ...honours(
      under('tls'),
      'mode',
      'sni',
      'subjectAltNames',
      'clientCertificate',
      'privateKey',
      'caCertificates',
      'insecureSkipVerify',
    ),
    notYet(under('tls.credentialName'), 'connections would be made without these certificates'),
    notYet(under('tls.caCrl'), 'revoked certificates would be accepted'),
  ];
}

function wholeTrafficPolicy(place: string): readonly SupportLine[] {
  return [
    ...trafficPolicy(place),
    ...honours(`${place}.portLevelSettings[]`, 'port'),
    ...trafficPolicy(`${place}.portLevelSettings[]`),
    notYet(`${place}.tunnel`, 'connections would go straight to the destination'),
    notYet(`${place}.proxyProtocol`, 'the destination would not learn who the client is'),
    ...honours(`${place}.retryBudget`, 'percent', 'minRetryConcurrency'),
    notYet(`${place}.retryBudget.budgetInterval`, 'requests would be counted while they are under way only'),
  ];
}

const UNPROTECTED = 'traffic would be let through that should be refused';

/**
 * What this version honours of Istio's kinds, field by field; everything else is refused, never passed over. A field
 * comes into force by moving its line from `notYet` to `honours`, together with the code that obeys it.
 */
export const ISTIO_SUPPORT: { readonly [K in IstioKind]: KindSupport } = {
  VirtualService: {
    refused: false,
    lines: [
      ...honours('', 'hosts', 'gateways', 'exportTo'),
      ...honours('http[]', 'name', 'match', 'redirect', 'directResponse', 'rewrite', 'timeout', 'fault', 'headers'),
      ...honours('http[].route[]', 'destination', 'weight', 'headers'),
      ...honours('http[]', 'retries', 'mirror', 'mirrors', 'mirrorPercentage', 'mirrorPercent'),
      notYet('http[].fault.delay.exponentialDelay', 'requests would not be delayed'),
      notYet('http[].fault.abort.http2Error', 'requests would not be aborted'),
      ...honours(
        'http[].corsPolicy',
        'allowOrigin',
        'allowOrigins',
        'allowMethods',
        'allowHeaders',
        'exposeHeaders',
        'maxAge',
        'allowCredentials',
        'unmatchedPreflights',
      ),
      ...honours('http[].delegate', 'name', 'namespace'),
      notYet('tls', 'TLS connections would not be routed by server name'),
      ...honours('tcp[].match[]', 'port', 'sourceLabels', 'gateways', 'sourceNamespace'),
      notYet('tcp[].match[].destinationSubnets', 'the rule would apply to more connections than wished'),
      notYet('tcp[].match[].sourceSubnet', 'the rule would apply to more connections than wished'),
      ...honours('tcp[].route[]', 'destination', 'weight'),
    ],
  },
  DestinationRule: {
    refused: false,
    lines: [
      ...honours('', 'host', 'exportTo', 'workloadSelector'),
      ...wholeTrafficPolicy('trafficPolicy'),
      ...honours('subsets[]', 'name', 'labels'),
      ...wholeTrafficPolicy('subsets[].trafficPolicy'),
    ],
  },
  Gateway: {
    refused: false,
    lines: [
      ...honours('', 'selector'),
      ...honours('servers[]', 'hosts', 'name', 'bind'),
      notYet('servers[].defaultEndpoint', 'requests without a route would not reach it'),
      ...honours('servers[].port', 'number', 'name', 'protocol'),
      notYet('servers[].port.targetPort', 'the gateway would listen on the port itself'),
      ...honours('servers[].tls', 'httpsRedirect', 'mode', 'serverCertificate', 'privateKey', 'caCertificates'),
      notThisValue('servers[].tls.mode', 'AUTO_PASSTHROUGH', 'TLS connections would not be routed by server name'),
      notThisValue('servers[].tls.mode', 'ISTIO_MUTUAL', 'clients would not be asked for a certificate of the mesh'),
      notThisValue('servers[].tls.mode', 'OPTIONAL_MUTUAL', 'clients would not be asked for a certificate'),
      ...honours('servers[].tls', 'minProtocolVersion', 'maxProtocolVersion', 'cipherSuites'),
      notYet('servers[].tls.credentialName', 'the server would have no certificate'),
      notYet('servers[].tls.credentialNames', 'the server would have no certificate'),
      notYet('servers[].tls.tlsCertificates', 'the server would have no certificate'),
      notYet('servers[].tls.caCertCredentialName', 'client certificates would not be checked'),
      notYet('servers[].tls.caCrl', 'revoked client certificates would be accepted'),
      notYet('servers[].tls.subjectAltNames', 'clients with any name would be accepted'),
      notYet('servers[].tls.verifyCertificateSpki', 'clients with any key would be accepted'),
      notYet('servers[].tls.verifyCertificateHash', 'clients with any certificate would be accepted'),
      notYet('servers[].tls.insecureSkipVerify', 'client certificates would be checked all the same'),
    ],
  },
  ServiceEntry: {
    refused: false,
    lines: [
      ...honours('', 'hosts', 'addresses', 'ports', 'location', 'resolution', 'endpoints', 'workloadSelector'),
      ...honours('', 'exportTo', 'subjectAltNames'),
      notThisValue('resolution', 'DYNAMIC_DNS', 'requests for names under the wildcard would fail'),
    ],
  },
  WorkloadEntry: {
    refused: false,
    lines: honours('', 'address', 'ports', 'labels', 'network', 'locality', 'weight', 'serviceAccount'),
  },
  Sidecar: {
    refused: false,
    lines: [
      ...honours('', 'workloadSelector'),
      ...honours('egress[]', 'hosts', 'port', 'bind', 'captureMode'),
      ...honours('outboundTrafficPolicy', 'mode'),
      notYet('outboundTrafficPolicy.egressProxy', 'unknown traffic would go straight to its destination'),
      notYet('ingress', 'the workload would keep the listeners that its services give it'),
      notYet('inboundConnectionPool', 'the workload would take more connections than wished'),
    ],
  },
  PeerAuthentication: { refused: false, lines: honours('', 'selector', 'mtls', 'portLevelMtls') },
  WorkloadGroup: {
    refused: false,
    lines: [
      ...honours('metadata', 'labels'),
      notYet('metadata.annotations', 'entries of its workloads would not carry them'),
      ...honours('template', 'ports', 'labels', 'network', 'locality', 'serviceAccount'),
      notYet('template.address', 'its workloads would be registered at addresses of their own'),
      notYet('template.weight', 'its workloads would get as many requests as others'),
      notYet('probe', 'requests would go on reaching workloads that are not well'),
    ],
  },
  EnvoyFilter: { refused: true, consequence: "proxies would run without the filter's changes" },
  ProxyConfig: { refused: true, consequence: 'proxies would run with the settings of the whole mesh' },
  RequestAuthentication: { refused: true, consequence: UNPROTECTED },
  AuthorizationPolicy: { refused: true, consequence: UNPROTECTED },
  Telemetry: {
    refused: true,
    consequence: 'metrics, traces and access logs would keep the settings of the whole mesh',
  },
  WasmPlugin: { refused: true, consequence: 'requests would pass without the plugin having seen them' },
  TrafficExtension: { refused: true, consequence: 'requests would pass without the extension having seen them' },
};

const COMPILED: ReadonlyMap<string, SupportTable> = new Map(
  Object.entries(ISTIO_SUPPORT).flatMap(([kind, support]) =>
    support.refused ? [] : [[kind, compileSupport(support.lines)]],
  ),
);

/** A fault for the kind, or for every field of the written spec, that this version does not honour. */
export function checkSupport(kind: IstioKind, spec: unknown, path: FieldPath = ['spec']): readonly Fault[] {
  const support = ISTIO_SUPPORT[kind];
  if (!support.refused) return COMPILED.get(kind)?.check(spec, path) ?? [];
  return [
    {
      severity: 'error',
      code: FAULT_CODES.unsupported,
      path: ['kind'],
      subject: 'value',
      message: `${kind} is not enforced yet`,
      hint: `Remove it. If it were ignored, ${support.consequence}.`,
    },
  ];
}

/** What the table says about a field, written as in the table; `null` when no line speaks for it. */
export function supportOf(kind: IstioKind, path: string): 'honoured' | 'not-yet' | null {
  return ISTIO_SUPPORT[kind].refused ? 'not-yet' : (COMPILED.get(kind)?.verdictOf(path) ?? null);
}
