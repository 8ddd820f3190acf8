export { parseSpiffeId, formatSpiffeId, isTrustDomain, type SpiffeId } from './spiffe-id.ts';
export { createKeyAndCsr, type KeyAndCsr } from './csr.ts';
export { spiffeIdOfCertificate, uriSanOf, workloadCertificate, type WorkloadCertificate } from './certificate.ts';
export { svidFault } from './svid.ts';
export { createTrustBundle, type TrustBundle } from './trust-bundle.ts';
export { splitPem, splitCertificates, encodePem, type PemBlock } from './pem.ts';
export type { IdentitySource } from './identity-source.ts';
