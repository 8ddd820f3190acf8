import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { encodePem } from '@flotilla/spiffe';
import { ECDSA_P256, randomSerial } from './ecdsa.ts';

const LIFETIME_YEARS = 10;

/**
 * Makes a self-signed root for a trust domain: P-256, ten years, its URI SAN the trust domain's own SPIFFE ID
 * (X509-SVID, section 3). The key exists only in the result.
 */
export async function createRootCertificate(
  trustDomain: string,
  nowMs: number,
): Promise<{ privateKeyPem: string; certificatePem: string }> {
  const keys = await crypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify']);
  const notAfter = new Date(nowMs);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + LIFETIME_YEARS);
  const name = new x509.Name([
    { O: [trustDomain] },
    // The name tells roots of the same trust domain apart, so that a chain is built with the right one.
    { CN: [`Flotilla root ${randomBytes(4).toString('hex')}`] },
  ]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name,
    keys,
    signingAlgorithm: ECDSA_P256,
    notBefore: new Date(nowMs - 60_000),
    notAfter,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }], false),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const privateKey = new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    privateKeyPem: encodePem('PRIVATE KEY', privateKey),
    certificatePem: encodePem('CERTIFICATE', new Uint8Array(certificate.rawData)),
  };
}
