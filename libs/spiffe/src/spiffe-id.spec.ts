import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatSpiffeId, parseSpiffeId } from './spiffe-id.ts';

describe('parseSpiffeId', () => {
  it('reads an identity as Istio writes it', () => {
    expect(parseSpiffeId('spiffe://cluster.local/ns/default/sa/bookinfo-reviews')).toEqual({
      trustDomain: 'cluster.local',
      namespace: 'default',
      serviceAccount: 'bookinfo-reviews',
    });
  });

  it.each([
    ['another scheme', 'https://cluster.local/ns/a/sa/b'],
    ['an upper-case scheme', 'SPIFFE://cluster.local/ns/a/sa/b'],
    ['an empty trust domain', 'spiffe:///ns/a/sa/b'],
    ['an upper-case trust domain', 'spiffe://Cluster.local/ns/a/sa/b'],
    ['a port', 'spiffe://cluster.local:80/ns/a/sa/b'],
    ['a user', 'spiffe://x@cluster.local/ns/a/sa/b'],
    ['a trailing slash', 'spiffe://cluster.local/ns/a/sa/b/'],
    ['an empty segment', 'spiffe://cluster.local/ns//sa/b'],
    ['a dot segment', 'spiffe://cluster.local/ns/../sa/b'],
    ['a query', 'spiffe://cluster.local/ns/a/sa/b?x=1'],
    ['a fragment', 'spiffe://cluster.local/ns/a/sa/b#x'],
    ['percent-encoding', 'spiffe://cluster.local/ns/a/sa/b%2F'],
    ['another path', 'spiffe://cluster.local/workload/b'],
    ['too many segments', 'spiffe://cluster.local/ns/a/sa/b/c/d'],
    ['a line break', 'spiffe://cluster.local/ns/a/sa/b\n'],
    ['a letter outside ASCII', 'spiffe://cluster.local/ns/a/sa/bé'],
    ['too long a text', `spiffe://cluster.local/ns/a/sa/${'b'.repeat(2048)}`],
    ['too long a trust domain', `spiffe://${'a'.repeat(256)}/ns/a/sa/b`],
  ])('refuses %s', (_, text) => {
    expect(() => parseSpiffeId(text)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });

  it('is the inverse of formatSpiffeId, which refuses whatever would not read back', () => {
    const part = fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9.-]{1,20}$/));
    fc.assert(
      fc.property(part, part, part, (trustDomain, namespace, serviceAccount) => {
        const id = { trustDomain, namespace, serviceAccount };
        let text: string;
        try {
          text = formatSpiffeId(id);
        } catch {
          return;
        }
        expect(parseSpiffeId(text)).toEqual(id);
      }),
    );
  });
});
