import type { WorkloadCertificate } from './certificate.ts';

/** A certificate that changes in time. Whoever opened it closes it. */
export interface IdentitySource {
  /** The certificate to use for the next handshake; null while there is none. */
  current(): WorkloadCertificate | null;
  /** Calls `listener` after every change, until the returned function is called. */
  subscribe(listener: (certificate: WorkloadCertificate) => void): () => void;
  /** Stops renewing. The last certificate stays readable. */
  close(): void;
}
