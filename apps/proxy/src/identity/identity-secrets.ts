import type { IdentitySource, WorkloadCertificate } from '@flotilla/spiffe';
import type { SecretTable } from './secret-table.ts';

/** Istio's SDS names of the workload's own certificate and of the mesh's roots. */
export const WORKLOAD_SECRET = 'default';
export const ROOT_SECRET = 'ROOTCA';

/**
 * Keeps `default` and `ROOTCA` equal to the identity of this process. The key goes from memory to memory. Returns
 * the function that ends it; the identity stays its owner's.
 */
export function deliverIdentity(identity: IdentitySource, secrets: SecretTable): () => void {
  const deliver = (certificate: WorkloadCertificate): void => {
    // Roots first: a peer with a certificate of a new root is trusted before ours is shown.
    secrets.holder(ROOT_SECRET).set({ kind: 'validation', trustedCaPem: certificate.rootsPem });
    secrets.holder(WORKLOAD_SECRET).set({
      kind: 'certificate',
      chainPem: certificate.chainPem,
      privateKeyPem: certificate.privateKeyPem,
    });
  };
  const current = identity.current();
  if (current !== null) deliver(current);
  return identity.subscribe(deliver);
}
