import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { FakeClock } from '@flotilla/runtime';
import { describe, expect, it } from 'vitest';
import { createBootstrapTokens, tokenIdOf } from './bootstrap-token.ts';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const reviews = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'reviews' };
const clock = new FakeClock();
const tokens = createBootstrapTokens(privateKey, 'cluster.local', clock);
const grant = { id: reviews, workload: 'reviews-v1', uses: 1 };
const { token, claims: made } = tokens.create(grant, 60_000);

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const [head = '', body = '', signature = ''] = token.split('.');
const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
/** A token with these claims, well signed. */
const signed = (changed: object, header = head, key = privateKey) => {
  const text = `${header}.${encode({ ...claims, ...changed })}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
};

describe('bootstrap tokens', () => {
  it('name one namespace, service account and workload until they expire', () => {
    expect(tokens.verify(token)).toEqual(made);
    expect(made).toMatchObject({
      subject: reviews,
      workload: 'reviews-v1',
      uses: 1,
      expiresAtMs: clock.now() + 60_000,
    });
    expect(tokenIdOf(token)).toBe(made.id);
  });

  it('hold after a restart, and in another replica, with the same key', () => {
    expect(createBootstrapTokens(privateKey, 'cluster.local', clock).verify(token)).toEqual(made);
  });

  it.each<[string, () => string, RegExp]>([
    ['nothing', () => '', /not a JWT/],
    ['garbage', () => 'a.b.c', /not signed with the key of this citadel/],
    ['a fourth part', () => `${token}.x`, /not a JWT/],
    ['a very long text', () => 'x'.repeat(5000), /too long/],
    [
      'another citadel',
      () => createBootstrapTokens(other, 'cluster.local', clock).create(grant, 1000).token,
      /not signed with the key/,
    ],
    ['another key under our header', () => signed({}, head, other), /signature is wrong/],
    ['no algorithm', () => `${encode({ alg: 'none', typ: 'JWT' })}.${body}.`, /not signed with the key/],
    [
      'a key of its own in the header',
      () => signed({}, encode({ alg: 'ES256', typ: 'JWT', jwk: {} })),
      /not signed with the key/,
    ],
    [
      'another namespace written in',
      () => `${head}.${encode({ ...claims, namespace: 'admin' })}.${signature}`,
      /signature is wrong/,
    ],
    ['an empty signature', () => `${head}.${body}.`, /signature is wrong/],
    ['an all-zero signature', () => `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`, /signature is wrong/],
    [
      'a DER signature',
      () => `${head}.${body}.${sign('sha256', Buffer.from(`${head}.${body}`), privateKey).toString('base64url')}`,
      /signature is wrong/,
    ],
    ['an expiry that has come', () => signed({ exp: clock.now() / 1000 }), /expired on/],
    ['an issue in the future', () => signed({ iat: clock.now() / 1000 + 61 }), /issued in the future/],
    ['no number of uses, as earlier versions made them', () => signed({ uses: undefined }), /claims are not those/],
    ['no expiry', () => signed({ exp: undefined }), /claims are not those/],
    ['an expiry that is a text', () => signed({ exp: '9999999999' }), /claims are not those/],
    ['another issuer', () => signed({ iss: 'x' }), /claims are not those/],
    [
      'another trust domain',
      () => signed({ sub: 'spiffe://x.example/ns/default/sa/reviews' }),
      /of another trust domain/,
    ],
    ['a subject that differs from its claims', () => signed({ namespace: 'admin' }), /of another trust domain/],
  ])('are refused with %s', (_, make, message) => {
    expect(() => tokens.verify(make())).toThrow(
      expect.objectContaining({ code: 'unauthenticated', message: expect.stringMatching(message) as string }),
    );
  });

  it('are refused after any change of any character', () => {
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.base64String({ minLength: 4, maxLength: 4 }), (at, text) => {
        const changed = token.slice(0, at) + text[0] + token.slice(at + 1);
        // The last character of base64url has bits that mean nothing.
        fc.pre(changed !== token && at !== token.length - 1);
        expect(() => tokens.verify(changed)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
      }),
      { numRuns: 300 },
    );
  });

  it('never fail otherwise, whatever is sent', () => {
    const part = fc.oneof(
      fc.string(),
      fc.json().map((text) => Buffer.from(text).toString('base64url')),
      fc.constantFrom(head, body, signature),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        const text = parts.join('.');
        fc.pre(text !== token);
        expect(() => tokens.verify(text)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
      }),
    );
  });

  it('are not made for names or lifetimes that cannot be', () => {
    expect(() => tokens.create({ ...grant, id: { ...reviews, namespace: 'a/b' } }, 1000)).toThrow(
      /not a workload identity/,
    );
    expect(() => tokens.create({ ...grant, workload: 'A b' }, 1000)).toThrow(/not the name of a workload/);
    for (const uses of [-1, 1.5, 101]) {
      expect(() => tokens.create({ ...grant, uses }, 1000)).toThrow(/uses is not possible/);
    }
    const year = 365 * 24 * 3_600_000;
    expect(() => tokens.create(grant, year)).toThrow(/lifetime of .* is not possible/);
    expect(tokens.create({ ...grant, uses: 0 }, year).claims.uses).toBe(0);
    for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => tokens.create(grant, ttlMs)).toThrow(/lifetime of .* is not possible/);
    }
  });
});
