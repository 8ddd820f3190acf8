import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { spiffeIdOfCertificate } from './certificate.ts';
import { svidFault } from './svid.ts';
import { createTestAuthority, type TestAuthority, type TestLeafOptions } from './testing.ts';

const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'a' };
const uri = 'spiffe://cluster.local/ns/default/sa/a';

let authority: TestAuthority;
beforeAll(async () => {
  authority = await createTestAuthority();
});

async function leaf(options: TestLeafOptions): Promise<X509Certificate> {
  return new X509Certificate((await authority.issueFaulty(id, options)).chainPem);
}

describe('a leaf with a SPIFFE ID', () => {
  it.each<[string, TestLeafOptions, string | null]>([
    ['as it should be', {}, null],
    ['with more usages than it needs', { keyUsages: ['digitalSignature', 'keyEncipherment', 'keyAgreement'] }, null],
    ['that is a CA', { isCa: true, keyUsages: ['digitalSignature', 'keyCertSign'] }, 'it is a CA'],
    ['that is a CA by its constraints alone', { isCa: true }, 'it is a CA'],
    ['that may sign', { keyUsages: ['digitalSignature', 'keyCertSign'] }, 'its key may sign certificates'],
    ['that may revoke', { keyUsages: ['digitalSignature', 'cRLSign'] }, 'its key may sign revocation lists'],
    ['that may encipher alone', { keyUsages: ['keyEncipherment'] }, 'its key usage has no digital signature'],
    ['without key usage', { keyUsages: null }, 'it has no key usage'],
    ['with another SPIFFE ID', { uris: [uri, `${uri}b`] }, 'it has more than one URI SAN'],
    ['with another URI', { uris: ['https://example.com', uri] }, 'it has more than one URI SAN'],
  ])('%s', async (_name, options, fault) => {
    const certificate = await leaf(options);
    expect(svidFault(certificate)).toBe(fault);
    expect(spiffeIdOfCertificate(certificate)).toEqual(fault === null ? id : null);
  });

  it('is not what a certificate of the web is: that may be anything', async () => {
    expect(svidFault(await leaf({ uris: ['https://a', 'https://b'], isCa: true, keyUsages: null }))).toBe(null);
    expect(svidFault(new X509Certificate(authority.rootPem))).toBe(null);
  });
});
