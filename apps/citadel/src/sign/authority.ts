import 'reflect-metadata';
import { X509Certificate, type KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { FlotillaError, type Clock } from '@flotilla/runtime';
import {
  encodePem,
  encodeTokenGrant,
  formatSpiffeId,
  type SpiffeId,
  TOKEN_GRANT_OID,
  type TokenGrant,
} from '@flotilla/spiffe';
import { ECDSA_P256, randomSerial } from './ecdsa.ts';

/** A certificate as it was issued. */
export interface IssuedCertificate {
  readonly pem: string;
  readonly spiffeId: SpiffeId;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface IssueRequest {
  readonly id: SpiffeId;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  readonly ttlMs: number;
  /** Only the control plane's own servers have any. */
  readonly dnsNames: readonly string[];
  /** The bootstrap token that it goes back to, kept through renewals; `null` for none. */
  readonly grant: TokenGrant | null;
}

/** One CA key that signs workload certificates. */
export interface CertificateAuthority {
  readonly certificatePem: string;
  issue(request: IssueRequest): Promise<IssuedCertificate>;
}

/** How far a certificate is dated back, for peers whose clock is behind. */
const BACKDATE_MS = 60_000;

/**
 * An authority with this key. What it issues: empty subject, so the SAN is critical (RFC 5280, section 4.2.1.6); the
 * SPIFFE ID as the only URI SAN; for use as client and as server; never outliving the authority's own certificate.
 *
 * `@peculiar/x509` builds the certificates: about 240 a second on a busy core, reading and verifying the request
 * included (400 a second is the reading alone). The signatures themselves are a tenth of that time.
 */
export async function createAuthority(
  pair: { readonly privateKey: KeyObject; readonly certificatePem: string },
  clock: Clock,
): Promise<CertificateAuthority> {
  const issuer = new x509.X509Certificate(pair.certificatePem);
  const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
  const signingKey = await crypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), ECDSA_P256, false, ['sign']);
  const authorityKeyId = await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey);
  const notAfterLimitMs = new X509Certificate(pair.certificatePem).validToDate.getTime();
  return {
    certificatePem: pair.certificatePem,
    async issue({ id, publicKey, ttlMs, dnsNames, grant }) {
      const nowMs = clock.now();
      if (notAfterLimitMs <= nowMs) throw new FlotillaError('internal', 'the certificate of the authority has expired');
      // Certificates count whole seconds.
      const notBeforeMs = Math.floor((nowMs - BACKDATE_MS) / 1000) * 1000;
      const notAfterMs = Math.min(Math.ceil((nowMs + ttlMs) / 1000) * 1000, notAfterLimitMs);
      const serial = randomSerial();
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: serial,
        issuer: issuer.subjectName,
        notBefore: new Date(notBeforeMs),
        notAfter: new Date(notAfterMs),
        publicKey: new Uint8Array(publicKey),
        signingKey,
        signingAlgorithm: ECDSA_P256,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
          new x509.SubjectAlternativeNameExtension(
            [{ type: 'url', value: formatSpiffeId(id) }, ...dnsNames.map((value) => ({ type: 'dns' as const, value }))],
            true,
          ),
          authorityKeyId,
          ...(grant === null ? [] : [new x509.Extension(TOKEN_GRANT_OID, false, encodeTokenGrant(grant))]),
        ],
      });
      const pem = encodePem('CERTIFICATE', new Uint8Array(certificate.rawData));
      return { pem, spiffeId: id, serial, notBeforeMs, notAfterMs };
    },
  };
}
