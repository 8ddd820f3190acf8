/**
 * Certificates for tests: a small authority made anew each time, and an identity source that changes when told to.
 * Never used outside tests; the real authority is citadel.
 */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { workloadCertificate, type WorkloadCertificate } from './certificate.ts';
import { createKeyAndCsr } from './csr.ts';
import type { IdentitySource } from './identity-source.ts';
import { formatSpiffeId, type SpiffeId } from './spiffe-id.ts';

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface TestCertificateOptions {
  /** Default: an hour. */
  readonly ttlMs?: number;
  readonly dnsNames?: readonly string[];
  /** Valid from a minute before this. Default: now. */
  readonly nowMs?: number;
}

/** What a leaf may not be. */
export interface TestLeafOptions {
  /** In place of the identity. */
  readonly uris?: readonly string[];
  readonly isCa?: boolean;
  /** Null: no key usage at all. Default: digital signature. */
  readonly keyUsages?: readonly (keyof typeof x509.KeyUsageFlags)[] | null;
}

export interface TestAuthority {
  readonly rootPem: string;
  /** A certificate with a new key. */
  issue(id: SpiffeId, options?: TestCertificateOptions): Promise<WorkloadCertificate>;
  /** A certificate for the key of a signing request, PEM; what the request asks for does not matter. */
  sign(csrPem: string, id: SpiffeId, options?: TestCertificateOptions & TestLeafOptions): Promise<string>;
  /** As `issue`, for leaves that break the rules; nothing is checked. */
  issueFaulty(id: SpiffeId, options: TestLeafOptions): Promise<TestKeyPair>;
}

export interface TestKeyPair {
  readonly chainPem: string;
  readonly privateKeyPem: string;
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
  const sign: TestAuthority['sign'] = async (csrPem, id, options = {}) => {
    const { ttlMs = 3_600_000, dnsNames = [], nowMs = Date.now() } = options;
    const { uris = [formatSpiffeId(id)], isCa = false, keyUsages = ['digitalSignature'] } = options;
    const names: x509.JsonGeneralNames = [
      ...uris.map((value) => ({ type: 'url' as const, value })),
      ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ];
    const leaf = await x509.X509CertificateGenerator.create({
      issuer: root.subject,
      publicKey: new x509.Pkcs10CertificateRequest(csrPem).publicKey,
      signingKey: rootKeys.privateKey,
      signingAlgorithm: ECDSA,
      notBefore: new Date(nowMs - 60_000),
      notAfter: new Date(nowMs + ttlMs),
      extensions: [
        ...(isCa ? [new x509.BasicConstraintsExtension(true, undefined, true)] : []),
        ...(keyUsages === null ? [] : [new x509.KeyUsagesExtension(bitsOf(keyUsages), true)]),
        new x509.SubjectAlternativeNameExtension(names, true),
      ],
    });
    return `${leaf.toString('pem')}\n`;
  };
  return {
    rootPem,
    sign,
    async issueFaulty(id, options) {
      const { privateKeyPem, csrPem } = await createKeyAndCsr(id);
      return { chainPem: await sign(csrPem, id, options), privateKeyPem };
    },
    async issue(id, options) {
      const { privateKeyPem, csrPem } = await createKeyAndCsr(id);
      return workloadCertificate({ chainPem: await sign(csrPem, id, options), privateKeyPem, rootsPem: rootPem });
    },
  };
}

function bitsOf(usages: readonly (keyof typeof x509.KeyUsageFlags)[]): x509.KeyUsageFlags {
  return usages.reduce<number>((bits, usage) => bits | x509.KeyUsageFlags[usage], 0);
}

/** Leaves that break the rules of SPIFFE's leaves, by what is wrong with them. */
export const FAULTY_LEAVES: readonly (readonly [string, TestLeafOptions])[] = [
  ['is a CA', { isCa: true, keyUsages: ['digitalSignature', 'keyCertSign'] }],
  ['may sign certificates', { keyUsages: ['digitalSignature', 'keyCertSign'] }],
  ['may sign revocation lists', { keyUsages: ['digitalSignature', 'cRLSign'] }],
  ['has no key usage', { keyUsages: null }],
  [
    'has two URI SANs',
    { uris: ['server', 'client', 'web'].map((name) => `spiffe://cluster.local/ns/default/sa/${name}`) },
  ],
];

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
