import type { FaultList, FieldPath } from '@flotilla/model';
import type {
  ClientTLSSettings,
  ConnectionPoolSettings,
  LoadBalancerSettings,
  TrafficPolicy,
} from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { ClientTLSSettings_TLSmode as TlsMode } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { LoadBalancerSettings_SimpleLB as SimpleLb } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { checkDuration, checkNotNegative, checkPercent, checkPort } from './field.ts';
import { checkHttp2, checkTcpKeepalive } from './keepalive.ts';
import { checkConsistentHash } from './consistent-hash.ts';
import { checkLocalityLb } from './locality.ts';
import { checkOutliers } from './outliers.ts';

export function checkTrafficPolicy(policy: TrafficPolicy | undefined, path: FieldPath, faults: FaultList): void {
  if (policy === undefined) return;
  const { loadBalancer, connectionPool, outlierDetection, tls, portLevelSettings } = policy;
  const others = [policy.tunnel, policy.proxyProtocol, policy.retryBudget];
  const isEmpty = [loadBalancer, connectionPool, outlierDetection, tls, ...others].every((each) => each === undefined);
  if (isEmpty && portLevelSettings.length === 0) faults.error(path, 'the traffic policy is empty');
  checkPool(connectionPool, [...path, 'connectionPool'], faults);
  checkLoadBalancer(loadBalancer, [...path, 'loadBalancer'], faults);
  checkOutliers(outlierDetection, [...path, 'outlierDetection'], faults);
  checkPercent(policy.retryBudget?.percent, [...path, 'retryBudget', 'percent'], faults);
  checkClientTls(tls, [...path, 'tls'], faults);
  const ports = new Set<number>();
  portLevelSettings.forEach((settings, index) => {
    const at = [...path, 'portLevelSettings', index];
    const number = settings.port?.number ?? 0;
    if (settings.port === undefined) faults.error([...at, 'port'], '"port" is missing');
    else checkPort(number, [...at, 'port', 'number'], faults);
    if (number !== 0 && ports.has(number)) faults.error([...at, 'port'], `port ${number} has settings before`);
    ports.add(number);
    checkPool(settings.connectionPool, [...at, 'connectionPool'], faults);
    checkLoadBalancer(settings.loadBalancer, [...at, 'loadBalancer'], faults);
    checkOutliers(settings.outlierDetection, [...at, 'outlierDetection'], faults);
    checkClientTls(settings.tls, [...at, 'tls'], faults);
  });
}

function checkLoadBalancer(settings: LoadBalancerSettings | undefined, path: FieldPath, faults: FaultList): void {
  if (settings === undefined) return;
  checkLocalityLb(settings.localityLbSetting, [...path, 'localityLbSetting'], faults);
  const { warmup, warmupDurationSecs, lbPolicy } = settings;
  if (lbPolicy.case === 'consistentHash') checkConsistentHash(lbPolicy.value, [...path, 'consistentHash'], faults);
  if (warmup === undefined && warmupDurationSecs === undefined) return;
  const field = warmup === undefined ? 'warmupDurationSecs' : 'warmup';
  if (warmup !== undefined && warmupDurationSecs !== undefined) {
    faults.unexpected([...path, 'warmupDurationSecs'], 'is the older form of warmup.duration', 'Remove it.');
  }
  const simple = lbPolicy.case === 'simple' ? lbPolicy.value : SimpleLb.UNSPECIFIED;
  if (lbPolicy.case === 'consistentHash' || simple === SimpleLb.RANDOM || simple === SimpleLb.PASSTHROUGH) {
    faults.unexpected([...path, field], 'is for ROUND_ROBIN and LEAST_REQUEST only', 'Remove it.');
  }
  checkDuration(warmupDurationSecs, [...path, 'warmupDurationSecs'], faults);
  if (warmup === undefined) return;
  if (warmup.duration === undefined) faults.error([...path, 'warmup'], '"duration" is missing');
  checkDuration(warmup.duration, [...path, 'warmup', 'duration'], faults);
  checkPercent(warmup.minimumPercent, [...path, 'warmup', 'minimumPercent'], faults);
  if (warmup.aggression !== undefined && warmup.aggression < 1) {
    faults.error([...path, 'warmup', 'aggression'], `must be 1 or more, but is ${warmup.aggression}`);
  }
}

function checkPool(pool: ConnectionPoolSettings | undefined, path: FieldPath, faults: FaultList): void {
  if (pool === undefined) return;
  const { tcp, http } = pool;
  if (tcp === undefined && http === undefined) faults.error(path, 'is empty', 'Add tcp or http.');
  if (tcp !== undefined) {
    checkNotNegative(tcp.maxConnections, [...path, 'tcp', 'maxConnections'], faults);
    checkDuration(tcp.connectTimeout, [...path, 'tcp', 'connectTimeout'], faults);
    checkDuration(tcp.idleTimeout, [...path, 'tcp', 'idleTimeout'], faults);
    checkTcpKeepalive(tcp.tcpKeepalive, [...path, 'tcp', 'tcpKeepalive'], faults);
  }
  if (http === undefined) return;
  for (const name of [
    'http1MaxPendingRequests',
    'http2MaxRequests',
    'maxRequestsPerConnection',
    'maxRetries',
  ] as const) {
    checkNotNegative(http[name], [...path, 'http', name], faults);
  }
  checkDuration(http.idleTimeout, [...path, 'http', 'idleTimeout'], faults);
  checkHttp2(http, [...path, 'http'], faults);
}

/** TLS that a client begins. ISTIO_MUTUAL brings the certificates of the mesh, so that naming others contradicts it. */
function checkClientTls(tls: ClientTLSSettings | undefined, path: FieldPath, faults: FaultList): void {
  if (tls === undefined) return;
  if (tls.mode === TlsMode.MUTUAL && tls.credentialName === '') {
    for (const name of ['clientCertificate', 'privateKey'] as const) {
      if (tls[name] === '') faults.error(path, `mode MUTUAL needs ${name}`, 'Name a PEM file that the proxy can read.');
    }
  }
  if (tls.mode === TlsMode.ISTIO_MUTUAL) {
    for (const name of ['clientCertificate', 'privateKey', 'caCertificates'] as const) {
      if (tls[name] !== '')
        faults.unexpected([...path, name], `mode ISTIO_MUTUAL brings its own ${name}`, 'Remove it.');
    }
  }
  if (tls.insecureSkipVerify === true && tls.caCertificates !== '') {
    faults.unexpected([...path, 'caCertificates'], 'caCertificates and insecureSkipVerify exclude each other');
  }
}
