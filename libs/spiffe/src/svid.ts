import type { X509Certificate } from 'node:crypto';
import { basicConstraintsSayCa, type KeyUsage, keyUsageOf } from './certificate-extensions.ts';

/** A URI SAN of the scheme; Node quotes a name that holds a separator. */
const SPIFFE_NAME = /(?:^|, )URI:"?spiffe:/i;
const URI_NAME = /(?:^|, )URI:/g;

/**
 * Why a certificate that names a SPIFFE ID is no leaf of an X.509-SVID (X509-SVID, sections 2, 4 and 5.2): null when it
 * is one, or names none. A valid leaf has one URI SAN, is no CA, may sign neither certificates nor revocation lists,
 * and has the key usage digital signature. Says nothing about trust: verify the chain first.
 */
export function svidFault(certificate: X509Certificate): string | null {
  const names = certificate.subjectAltName ?? '';
  if (!SPIFFE_NAME.test(names)) return null;
  if ((names.match(URI_NAME) ?? []).length > 1) return 'it has more than one URI SAN';
  if (certificate.ca || basicConstraintsSayCa(certificate)) return 'it is a CA';
  return usageFault(keyUsageOf(certificate));
}

function usageFault(usage: KeyUsage | null): string | null {
  if (usage === null) return 'it has no key usage';
  if (usage.keyCertSign) return 'its key may sign certificates';
  if (usage.crlSign) return 'its key may sign revocation lists';
  return usage.digitalSignature ? null : 'its key usage has no digital signature';
}
