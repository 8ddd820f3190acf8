import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { FakeClock } from '@flotilla/runtime';
import { spiffeIdOfCertificate } from '@flotilla/spiffe';
import { describe, expect, it } from 'vitest';
import { withPeer } from '@flotilla/testing';
import { openssl } from '../journeys/openssl.ts';
import { createAuthority } from './authority.ts';
import { checkedLimits, grantTtlMs } from './lifetime.ts';
import { createRootCertificate } from './root-certificate.ts';

const clock = new FakeClock(Math.floor(Date.now() / 1000) * 1000);
const root = await createRootCertificate('cluster.local', clock.now());
const authority = await createAuthority(
  { privateKey: createPrivateKey(root.privateKeyPem), certificatePem: root.certificatePem },
  clock,
);
const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'reviews' };
const uri = 'spiffe://cluster.local/ns/default/sa/reviews';
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' });
const issue = (ttlMs = 3_600_000, dnsNames: readonly string[] = []) =>
  authority.issue({ id, publicKey, ttlMs, dnsNames, grant: null });

describe('a workload certificate', () => {
  it('carries the identity and nothing else', async () => {
    const issued = await issue();
    const leaf = new X509Certificate(issued.pem);
    expect(leaf.subjectAltName).toBe(`URI:${uri}`);
    expect(spiffeIdOfCertificate(leaf)).toEqual(id);
    expect(leaf.subject ?? '').toBe('');
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage?.toSorted()).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(leaf.checkPrivateKey(keys.privateKey)).toBe(true);
    expect(leaf.verify(new X509Certificate(root.certificatePem).publicKey)).toBe(true);
    expect(leaf.checkIssued(new X509Certificate(root.certificatePem))).toBe(true);
    expect(leaf.serialNumber.toLowerCase()).toBe(issued.serial);
    expect(issued.serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  it('is dated back a minute, ends in time, and does not outlive its authority', async () => {
    const issued = await issue(3_600_000);
    const leaf = new X509Certificate(issued.pem);
    expect(leaf.validFromDate.getTime()).toBe(clock.now() - 60_000);
    expect(leaf.validToDate.getTime()).toBe(clock.now() + 3_600_000);
    expect([issued.notBeforeMs, issued.notAfterMs]).toEqual([leaf.validFromDate.getTime(), leaf.validToDate.getTime()]);
    const long = await issue(20 * 365 * 24 * 3_600_000);
    expect(long.notAfterMs).toBe(new X509Certificate(root.certificatePem).validToDate.getTime());
  });

  it('has a new serial number each time', async () => {
    const serials = await Promise.all(Array.from({ length: 50 }, async () => (await issue()).serial));
    expect(new Set(serials).size).toBe(50);
  });

  withPeer('openssl', () =>
    it('is what openssl expects', async () => {
      const issued = await issue();
      const files = { 'leaf.pem': issued.pem, 'root.pem': root.certificatePem };
      for (const purpose of ['sslclient', 'sslserver']) {
        const verdict = openssl(
          ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', 'root.pem', 'leaf.pem'],
          files,
        );
        expect(verdict).toContain('leaf.pem: OK');
      }
      const text = openssl(['x509', '-in', 'leaf.pem', '-noout', '-text'], files);
      expect(text).toMatch(new RegExp(`Subject Alternative Name: critical\\s+URI:${uri}\\n`));
      expect(text).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
      expect(text).toMatch(/Authority Key Identifier/);
      expect(text).toMatch(/ASN1 OID: prime256v1/);
      const rootText = openssl(['x509', '-in', 'root.pem', '-noout', '-text'], files);
      expect(rootText).toMatch(/Basic Constraints: critical\s+CA:TRUE/);
      expect(rootText).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/);
    }),
  );
});

describe('lifetimes', () => {
  const limits = checkedLimits({ defaultTtlMs: 1000, minTtlMs: 100, maxTtlMs: 2000 });
  it.each([
    [0, 1000],
    [-5, 1000],
    [Number.NaN, 1000],
    [50, 100],
    [1500, 1500],
    [Number.POSITIVE_INFINITY, 2000],
  ])('a wish of %d ms is granted as %d ms', (wished, granted) => {
    expect(grantTtlMs(wished, limits)).toBe(granted);
  });

  it('limits that contradict each other are refused', () => {
    expect(() => checkedLimits({ defaultTtlMs: 5000, minTtlMs: 100, maxTtlMs: 2000 })).toThrow(/contradict/);
    expect(() => checkedLimits({ defaultTtlMs: 100, minTtlMs: 0, maxTtlMs: 2000 })).toThrow(/contradict/);
  });
});
