import { durationMs } from '@bufbuild/protobuf/wkt';
import type { Duration } from '@bufbuild/protobuf/wkt';
import type { MeshConfig } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { FaultList } from '../decode/fault.ts';
import type { Fault, FieldPath } from '../decode/fault.ts';

const TRUST_DOMAIN = /^[a-z0-9]([a-z0-9._-]{0,253}[a-z0-9])?$/;

/** Faults in the values of a mesh configuration whose types are right. */
export function meshConfigValueFaults(config: MeshConfig): readonly Fault[] {
  const faults = new FaultList();
  checkPort(config.proxyListenPort, ['proxyListenPort'], faults);
  checkPort(config.proxyInboundListenPort, ['proxyInboundListenPort'], faults);
  checkDuration(config.connectTimeout, ['connectTimeout'], faults);
  checkDuration(config.dnsRefreshRate, ['dnsRefreshRate'], faults);
  const detection = config.protocolDetectionTimeout;
  // 0s is Istio's word for no limit.
  if (detection?.seconds !== 0n || detection.nanos !== 0) {
    checkDuration(detection, ['protocolDetectionTimeout'], faults);
  }
  if (config.trustDomain !== '') checkTrustDomain(config.trustDomain, ['trustDomain'], faults);
  config.trustDomainAliases.forEach((alias, index) => checkTrustDomain(alias, ['trustDomainAliases', index], faults));
  const retries = config.defaultHttpRetryPolicy;
  if (retries !== undefined) {
    if (retries.attempts < 0) faults.error(['defaultHttpRetryPolicy', 'attempts'], 'must not be negative');
    checkDuration(retries.perTryTimeout, ['defaultHttpRetryPolicy', 'perTryTimeout'], faults);
    checkDuration(retries.backoff, ['defaultHttpRetryPolicy', 'backoff'], faults);
  }
  return faults.faults;
}

function checkPort(port: number, path: FieldPath, faults: FaultList): void {
  if (port < 0 || port > 65_535) faults.error(path, `must be a port between 1 and 65535, but is ${port}`);
}

function checkDuration(duration: Duration | undefined, path: FieldPath, faults: FaultList): void {
  if (duration !== undefined && durationMs(duration) < 1) faults.error(path, 'must be at least 1ms');
}

function checkTrustDomain(trustDomain: string, path: FieldPath, faults: FaultList): void {
  if (TRUST_DOMAIN.test(trustDomain)) return;
  faults.error(
    path,
    `${JSON.stringify(trustDomain)} is not a trust domain`,
    'Use lower-case letters, digits, . - and _.',
  );
}
