import { createPrivateKey, X509Certificate } from 'node:crypto';
import { FlotillaError } from '@flotilla/runtime';
import { splitCertificates } from './pem.ts';
import { svidFault } from './svid.ts';
import { formatSpiffeId, parseSpiffeId, type SpiffeId } from './spiffe-id.ts';

/** A certificate with its key and the roots that its holder trusts: all that a TLS endpoint of the mesh needs. */
export interface WorkloadCertificate {
  /** Leaf first, then intermediates, PEM; without the root. */
  readonly chainPem: string;
  /** PKCS#8, PEM. */
  readonly privateKeyPem: string;
  /** Trusted roots, PEM, one after another. */
  readonly rootsPem: string;
  readonly spiffeId: SpiffeId;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Serial number of the leaf, hexadecimal. */
  readonly serial: string;
}

/**
 * The identity in a certificate, or null when it has none: it must be a leaf as `svidFault` has it, and the identity
 * that of a workload. Other kinds of SAN beside it do not matter. Says nothing about trust: verify the chain first.
 */
export function spiffeIdOfCertificate(certificate: Buffer | X509Certificate): SpiffeId | null {
  const read = parsed(certificate);
  const uri = uriSanOf(read);
  if (uri === null || svidFault(read) !== null) return null;
  try {
    return parseSpiffeId(uri);
  } catch {
    return null;
  }
}

/** The only URI SAN of a certificate; null when there is none, or more than one. */
export function uriSanOf(certificate: Buffer | X509Certificate): string | null {
  const names = parsed(certificate).subjectAltName;
  // Node writes a name that holds a comma, a quote or a control character as a JSON string; no SPIFFE ID needs that,
  // and refusing it keeps the split below exact.
  if (names === undefined || names.includes('"')) return null;
  const uris = names.split(', ').filter((name) => name.startsWith('URI:'));
  return uris.length === 1 ? (uris[0]?.slice('URI:'.length) ?? null) : null;
}

/**
 * Puts chain, key and roots together after checking that they fit: the key is the leaf's, the leaf carries a workload
 * identity, the roots are certificates. Throws `invalid`.
 */
export function workloadCertificate(parts: {
  readonly chainPem: string;
  readonly privateKeyPem: string;
  readonly rootsPem: string;
}): WorkloadCertificate {
  const leaf = parsed(splitCertificates(parts.chainPem)[0] ?? '');
  const spiffeId = spiffeIdOfCertificate(leaf);
  if (spiffeId === null) {
    const fault = svidFault(leaf);
    const why = fault === null ? 'it does not carry exactly one workload identity as its URI SAN' : fault;
    throw new FlotillaError('invalid', `the certificate is not that of a workload: ${why}`);
  }
  if (!leaf.checkPrivateKey(createPrivateKey(parts.privateKeyPem))) {
    throw new FlotillaError('invalid', `the private key is not that of the certificate of ${formatSpiffeId(spiffeId)}`);
  }
  splitCertificates(parts.rootsPem).forEach(parsed);
  return {
    chainPem: parts.chainPem,
    privateKeyPem: parts.privateKeyPem,
    rootsPem: parts.rootsPem,
    spiffeId,
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs: leaf.validToDate.getTime(),
    serial: leaf.serialNumber.toLowerCase(),
  };
}

function parsed(certificate: Buffer | string | X509Certificate): X509Certificate {
  if (certificate instanceof X509Certificate) return certificate;
  try {
    return new X509Certificate(certificate);
  } catch (error) {
    throw new FlotillaError('invalid', 'the certificate cannot be read', { cause: error });
  }
}
