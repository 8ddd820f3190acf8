import type { IdentitySource, WorkloadCertificate } from '@flotilla/spiffe';

/** An identity that never changes, such as one from files. */
export function createStaticIdentity(certificate: WorkloadCertificate): IdentitySource {
  return {
    current: () => certificate,
    subscribe: () => () => undefined,
    close: () => undefined,
  };
}
