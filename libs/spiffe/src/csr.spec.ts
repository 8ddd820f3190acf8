import 'reflect-metadata';
import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { createKeyAndCsr } from './csr.ts';

const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'bookinfo-reviews' };

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('createKeyAndCsr', () => {
  it('makes a P-256 key and a request that an X.509 library reads and verifies', async () => {
    const { privateKeyPem, csrPem } = await createKeyAndCsr(id);
    const csr = new x509.Pkcs10CertificateRequest(csrPem);
    expect(await csr.verify()).toBe(true);
    expect(csr.subject).toBe('');
    const [names] = csr.extensions.filter((extension) => extension instanceof x509.SubjectAlternativeNameExtension);
    expect(names?.critical).toBe(true);
    expect(names?.names.toJSON()).toEqual([
      { type: 'url', value: 'spiffe://cluster.local/ns/default/sa/bookinfo-reviews' },
    ]);
    expect(createPrivateKey(privateKeyPem).asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });

  it('makes another key each time', async () => {
    const [a, b] = await Promise.all([createKeyAndCsr(id), createKeyAndCsr(id)]);
    expect(a.privateKeyPem).not.toBe(b.privateKeyPem);
  });

  it('encodes names of any allowed length', async () => {
    for (const length of [1, 60, 90, 127, 128, 200, 300, 1500]) {
      const { csrPem } = await createKeyAndCsr({ ...id, serviceAccount: 's'.repeat(length) });
      expect(await new x509.Pkcs10CertificateRequest(csrPem).verify()).toBe(true);
    }
  });

  it('refuses an identity that cannot be one', async () => {
    await expect(createKeyAndCsr({ ...id, namespace: 'a/b' })).rejects.toMatchObject({ code: 'invalid' });
  });

  it.skipIf(!hasOpenssl())('is accepted by openssl (skipped: needs openssl)', async () => {
    const { csrPem } = await createKeyAndCsr(id);
    const text = execFileSync('openssl', ['req', '-verify', '-noout', '-text'], {
      input: csrPem,
      stdio: 'pipe',
    }).toString();
    expect(text).toContain('URI:spiffe://cluster.local/ns/default/sa/bookinfo-reviews');
    expect(text).toMatch(/Subject Alternative Name: critical/);
  });
});
