/**
 * Certificates for tests: a small authority made anew each time, and an identity source that changes when told to.
 * Never used outside tests; the real authority is citadel.
 */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { workloadCertificate, type WorkloadCertificate } from './certificate.ts';
import type { IdentitySource } from './identity-source.ts';
import { encodePem } from './pem.ts';
import { formatSpiffeId, type SpiffeId } from './spiffe-id.ts';

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface TestAuthority {
  readonly rootPem: string;
  /** By default valid from a minute ago for an hour, without DNS names. */
  issue(
    id: SpiffeId,
    options?: { readonly ttlMs?: number; readonly dnsNames?: readonly string[]; readonly notBeforeMs?: number },
  ): Promise<WorkloadCertificate>;
}

export async function createTestAuthority(name = 'test'): Promise<TestAuthority> {
  const rootKeys = await crypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys: rootKeys,
    signingAlgorithm: ECDSA,
    notBefore: new Date('2020-01-01T00:00:00Z'),
    notAfter: new Date('2049-01-01T00:00:00Z'),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const rootPem = `${root.toString('pem')}\n`;
  return {
    rootPem,
    async issue(id, { ttlMs = 3_600_000, dnsNames = [], notBeforeMs = Date.now() - 60_000 } = {}) {
      const keys = await crypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
      const leaf = await x509.X509CertificateGenerator.create({
        issuer: root.subject,
        subject: '',
        publicKey: keys.publicKey,
        signingKey: rootKeys.privateKey,
        signingAlgorithm: ECDSA,
        notBefore: new Date(notBeforeMs),
        notAfter: new Date(Math.max(Date.now(), notBeforeMs) + ttlMs),
        extensions: [
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.SubjectAlternativeNameExtension(
            [{ type: 'url', value: formatSpiffeId(id) }, ...dnsNames.map((value) => ({ type: 'dns' as const, value }))],
            true,
          ),
        ],
      });
      return workloadCertificate({
        chainPem: `${leaf.toString('pem')}\n`,
        privateKeyPem: encodePem(
          'PRIVATE KEY',
          new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey)),
        ),
        rootsPem: rootPem,
      });
    },
  };
}

/** An identity source whose certificate is what `set` was last given. */
export function createTestIdentity(
  first: WorkloadCertificate | null,
): IdentitySource & { set(certificate: WorkloadCertificate): void } {
  let certificate = first;
  const listeners = new Set<(certificate: WorkloadCertificate) => void>();
  return {
    current: () => certificate,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    set(next) {
      certificate = next;
      for (const listener of [...listeners]) listener(next);
    },
    close: () => listeners.clear(),
  };
}
