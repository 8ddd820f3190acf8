import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { createPublicKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { spiffeIdOfCertificate, workloadCertificate } from './certificate.ts';
import { createKeyAndCsr } from './csr.ts';
import { splitCertificates, splitPem } from './pem.ts';
import { createTrustBundle } from './trust-bundle.ts';

const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'a' };
const uri = 'spiffe://cluster.local/ns/default/sa/a';
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function selfSigned(names: x509.JsonGeneralNames, { ca = false } = {}) {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test',
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2026-01-02T00:00:00Z'),
    serialNumber: '0a0b',
    extensions: [
      new x509.BasicConstraintsExtension(ca, undefined, true),
      new x509.KeyUsagesExtension(ca ? x509.KeyUsageFlags.keyCertSign : x509.KeyUsageFlags.digitalSignature, true),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names, true)]),
    ],
  });
  const privateKeyPem = x509.PemConverter.encode(
    await crypto.subtle.exportKey('pkcs8', keys.privateKey),
    'PRIVATE KEY',
  );
  return { pem: `${certificate.toString('pem')}\n`, der: Buffer.from(certificate.rawData), privateKeyPem };
}

describe('spiffeIdOfCertificate', () => {
  const url = (value: string): x509.JsonGeneralName => ({ type: 'url', value });
  const dns = (value: string): x509.JsonGeneralName => ({ type: 'dns', value });
  it.each<[string, x509.JsonGeneralNames, boolean]>([
    ['one URI SAN', [url(uri)], true],
    ['one URI SAN beside DNS names', [dns('localhost'), url(uri)], true],
    ['no SAN', [], false],
    ['DNS names only', [dns('localhost')], false],
    ['the same URI twice', [url(uri), url(uri)], false],
    ['a second URI', [url(uri), url('https://example.com')], false],
    ['a URI that is no identity', [url('https://example.com')], false],
    ['a DNS name that spells a URI SAN', [dns(`x, URI:${uri}`)], false],
    ['a URI that spells a second one', [url(`${uri}, URI:${uri}b`)], false],
    ['a mail address that spells a URI SAN', [{ type: 'email', value: `x, URI:${uri}` }], false],
    ['a directory name that spells a URI SAN', [{ type: 'dn', value: `CN="x, URI:${uri}"` }], false],
  ])('%s', async (_, names, expected) => {
    const { der } = await selfSigned(names);
    expect(spiffeIdOfCertificate(der)).toEqual(expected ? id : null);
  });
});

describe('workloadCertificate', () => {
  it('reads dates, serial and identity', async () => {
    const { pem, privateKeyPem } = await selfSigned([{ type: 'url', value: uri }]);
    expect(workloadCertificate({ chainPem: pem, privateKeyPem, rootsPem: pem })).toMatchObject({
      spiffeId: id,
      notBeforeMs: Date.parse('2026-01-01T00:00:00Z'),
      notAfterMs: Date.parse('2026-01-02T00:00:00Z'),
      serial: '0a0b',
    });
  });

  it('refuses the key of another certificate, and a certificate without an identity', async () => {
    const mine = await selfSigned([{ type: 'url', value: uri }]);
    const other = await createKeyAndCsr(id);
    const anonymous = await selfSigned([]);
    const put = (chainPem: string, privateKeyPem: string) => () =>
      workloadCertificate({ chainPem, privateKeyPem, rootsPem: mine.pem });
    expect(put(mine.pem, other.privateKeyPem)).toThrow(/private key is not that of/);
    expect(put(anonymous.pem, anonymous.privateKeyPem)).toThrow(/exactly one workload identity/);
    expect(put('garbage', mine.privateKeyPem)).toThrow(/no PEM block/);
    expect(createPublicKey(mine.pem).asymmetricKeyType).toBe('ec');
  });
});

describe('PEM', () => {
  it('splits blocks with text between them and either line ending', async () => {
    const { pem } = await selfSigned([]);
    expect(splitCertificates(`# first\n${pem}\nsecond\n${pem.replaceAll('\n', '\r\n')}`)).toEqual([pem, pem]);
    expect(splitPem('-----BEGIN X-----\nAA==\n-----END Y-----')).toEqual([]);
  });

  it('does not take a key for a certificate', async () => {
    const { pem, privateKeyPem } = await selfSigned([]);
    expect(() => splitCertificates(pem + privateKeyPem)).toThrow(/found a PRIVATE KEY/);
  });
});

describe('createTrustBundle', () => {
  it('keeps each root once', async () => {
    const [a, b] = [await selfSigned([], { ca: true }), await selfSigned([], { ca: true })];
    const bundle = createTrustBundle('cluster.local', a.pem, b.pem + a.pem);
    expect(bundle.roots).toEqual([a.pem, b.pem]);
    expect(bundle.rootsPem).toBe(a.pem + b.pem);
  });

  it('refuses a leaf as a root', async () => {
    const leaf = await selfSigned([]);
    expect(() => createTrustBundle('cluster.local', leaf.pem)).toThrow(/not the certificate of an authority/);
  });
});
