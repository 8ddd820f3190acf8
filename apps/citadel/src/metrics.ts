import type { Telemetry } from '@flotilla/observe';

/** Citadel's metrics, by Istio's names. */
export interface CitadelMetrics {
  requested(): void;
  issued(): void;
  /** The caller did not prove who it is. */
  unauthenticated(): void;
  failed(): void;
}

export const noMetrics: CitadelMetrics = { requested() {}, issued() {}, unauthenticated() {}, failed() {} };

export function citadelMetrics(meter: Telemetry['meter'], rootNotAfterMs: number): CitadelMetrics {
  const counter = (name: string, description: string) => meter.createCounter(name, { description });
  const requests = counter('citadel_server_csr_count', 'Certificate signing requests received.');
  const issued = counter('citadel_server_success_cert_issuance_count', 'Certificates issued.');
  const unauthenticated = counter('citadel_server_authentication_failure_count', 'Requests without a valid proof.');
  const failed = counter('citadel_server_csr_sign_err_count', 'Requests that were refused or could not be signed.');
  meter
    .createObservableGauge('citadel_server_root_cert_expiry_timestamp', {
      description: 'When the root certificate expires, seconds since the epoch.',
    })
    .addCallback((result) => result.observe(rootNotAfterMs / 1000));
  return {
    requested: () => requests.add(1),
    issued: () => issued.add(1),
    unauthenticated: () => unauthenticated.add(1),
    failed: () => failed.add(1),
  };
}
