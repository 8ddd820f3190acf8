import { X509Certificate } from 'node:crypto';
import { FlotillaError } from '@flotilla/runtime';
import { splitCertificates } from './pem.ts';
import { isTrustDomain } from './spiffe-id.ts';

/** The roots that vouch for the identities of one trust domain. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** One PEM each, without repetition, in the order given. */
  readonly roots: readonly string[];
  /** All roots as one PEM text. */
  readonly rootsPem: string;
}

/**
 * Makes a bundle of the certificates in these PEM texts. Throws `invalid` when a certificate is not that of an
 * authority: a leaf taken for a root would be trusted for itself.
 */
export function createTrustBundle(trustDomain: string, ...pemTexts: readonly string[]): TrustBundle {
  if (!isTrustDomain(trustDomain)) throw new FlotillaError('invalid', `"${trustDomain}" is not a trust domain`);
  const roots = new Map<string, string>();
  for (const pem of pemTexts.flatMap(splitCertificates)) {
    const root = new X509Certificate(pem);
    if (!root.ca) {
      throw new FlotillaError('invalid', `a root of ${trustDomain} is not the certificate of an authority`, {
        hint: `Serial number ${root.serialNumber}, subject "${root.subject ?? ''}".`,
      });
    }
    roots.set(root.fingerprint256, pem);
  }
  return { trustDomain, roots: [...roots.values()], rootsPem: [...roots.values()].join('') };
}
