import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { createKeyAndCsr, encodePem, splitPem } from '@flotilla/spiffe';
import { describe, expect, it } from 'vitest';
import { withPeer } from '@flotilla/testing';
import { openssl } from '../journeys/openssl.ts';
import { decodeSigningRequest } from './signing-request.ts';

const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'reviews' };
const uri = 'spiffe://cluster.local/ns/default/sa/reviews';
const { csrPem } = await createKeyAndCsr(id);
const refused = (message: RegExp) =>
  expect.objectContaining({ code: 'invalid', message: expect.stringMatching(message) as string }) as unknown;

async function request(
  algorithm: EcKeyGenParams | RsaHashedKeyGenParams,
  extensions: x509.Extension[] = [],
  name = '',
) {
  const signingAlgorithm = { hash: 'SHA-256', ...algorithm };
  const keys = await crypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm, extensions });
  return csr.toString('pem');
}
const ec = (namedCurve: string) => ({ name: 'ECDSA', namedCurve });
const rsa = (modulusLength: number, hash = 'SHA-256') => ({
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash,
});
type EcKeyGenParams = ReturnType<typeof ec>;
type RsaHashedKeyGenParams = ReturnType<typeof rsa>;

describe('decodeSigningRequest', () => {
  it('reads what our agents send', async () => {
    expect(await decodeSigningRequest(csrPem)).toMatchObject({
      names: [{ kind: 'url', value: uri }],
      commonNames: [],
      asksForAuthority: false,
    });
  });

  it.each([ec('P-256'), ec('P-384'), rsa(2048)])('accepts a key of %o', async (algorithm) => {
    expect(await decodeSigningRequest(await request(algorithm))).toMatchObject({ names: [], commonNames: [] });
  });

  it.each<[string, () => Promise<string>, RegExp]>([
    ['a P-521 key', () => request(ec('P-521')), /its key is neither/],
    ['a small RSA key', () => request(rsa(1024)), /its key is neither/],
    ['a SHA-1 signature', () => request(rsa(2048, 'SHA-1')), /signature does not verify/],
  ])('refuses %s', async (_, make, message) => {
    await expect(decodeSigningRequest(await make())).rejects.toEqual(refused(message));
  });

  it('shows every name, of every kind, and the wish to be an authority', async () => {
    const names: x509.JsonGeneralNames = [
      { type: 'url', value: uri },
      { type: 'dns', value: 'istiod.istio-system.svc' },
      { type: 'ip', value: '10.0.0.1' },
      { type: 'email', value: 'a@b.c' },
    ];
    const extensions = [
      new x509.SubjectAlternativeNameExtension(names),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: 'spiffe://second/ns/a/sa/b' }]),
      new x509.BasicConstraintsExtension(true),
    ];
    const read = await decodeSigningRequest(await request(ec('P-256'), extensions, 'CN=a, O=b, CN=c'));
    expect(read.names.map((name) => name.kind)).toEqual(['url', 'dns', 'ip', 'email', 'url']);
    expect(read.commonNames).toEqual(['a', 'c']);
    expect(read.asksForAuthority).toBe(true);
  });

  it('refuses a request that was changed after signing', async () => {
    const der = Buffer.from(splitPem(csrPem)[0]?.der ?? []);
    const at = der.indexOf('reviews');
    der.write('ratings', at);
    await expect(decodeSigningRequest(encodePem('CERTIFICATE REQUEST', der))).rejects.toEqual(
      refused(/signature does not verify/),
    );
  });

  it.each([
    ['nothing', ''],
    ['no PEM', 'x'],
    ['two requests', csrPem + csrPem],
    ['a certificate', csrPem.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE')],
    ['no DER', encodePem('CERTIFICATE REQUEST', Buffer.from('hello'))],
    ['too much', csrPem + ' '.repeat(20_000)],
  ])('refuses %s', async (_, pem) => {
    await expect(decodeSigningRequest(pem)).rejects.toEqual(refused(/is refused/));
  });

  it('refuses damaged bytes in an orderly way, unless all that is signed came through', async () => {
    const undamaged = await decodeSigningRequest(csrPem);
    const der = splitPem(csrPem)[0]?.der ?? Buffer.alloc(0);
    const damage = fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const bytes = Buffer.from(der);
        for (const [at, value] of changes) bytes[at] = value;
        fc.pre(!bytes.equals(der));
        const outcome = await decodeSigningRequest(encodePem('CERTIFICATE REQUEST', bytes)).catch((e: unknown) => e);
        // The outermost length is not signed, and may be wrong without changing what is read.
        if (outcome instanceof Error) expect(outcome).toEqual(refused(/is refused/));
        else expect(outcome).toEqual(undamaged);
      }),
      { numRuns: 300, examples: [[[[3, 0]]]] },
    );
  });

  withPeer('openssl', () =>
    it('reads what openssl makes', async () => {
      const made = openssl([
        ...['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key.pem', '-subj', '/O=mesh/CN=someone'],
        ...['-addext', `subjectAltName=URI:${uri},DNS:x.example`, '-addext', 'keyUsage=keyCertSign'],
      ]);
      expect(await decodeSigningRequest(made)).toMatchObject({
        names: [
          { kind: 'url', value: uri },
          { kind: 'dns', value: 'x.example' },
        ],
        commonNames: ['someone'],
        asksForAuthority: true,
      });
    }),
  );
});
