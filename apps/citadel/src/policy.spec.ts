import { describe, expect, it } from 'vitest';
import { decideIdentity, dnsNamesOf } from './policy.ts';
import type { RequestedName } from './sign/signing-request.ts';

const caller = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'reviews' };
const mine = 'spiffe://cluster.local/ns/default/sa/reviews';
const admin = 'spiffe://cluster.local/ns/istio-system/sa/istiod';
const url = (value: string): RequestedName => ({ kind: 'url', value });

describe('decideIdentity', () => {
  it.each<[string, readonly RequestedName[], readonly string[]]>([
    ['no name', [], []],
    ['its own identity', [url(mine)], []],
    ['its own identity, also as common name', [url(mine)], [mine]],
  ])('grants the caller its identity for a request with %s', (_, names, commonNames) => {
    expect(decideIdentity(caller, { names, commonNames, asksForAuthority: false })).toEqual(caller);
  });

  it.each<[string, readonly RequestedName[], readonly string[], string]>([
    ['another service account', [url('spiffe://cluster.local/ns/default/sa/ratings')], [], 'sa/ratings'],
    ['another namespace', [url('spiffe://cluster.local/ns/other/sa/reviews')], [], 'ns/other'],
    ['another trust domain', [url('spiffe://x.example/ns/default/sa/reviews')], [], 'x.example'],
    ['its own and another one', [url(mine), url(admin)], [], admin],
    ['its own twice', [url(mine), url(mine)], [], 'the same name 2 times'],
    ['its own in other letters', [url(mine.toUpperCase())], [], 'SPIFFE'],
    ['a DNS name', [url(mine), { kind: 'dns', value: 'istiod.istio-system.svc' }], [], 'dns "istiod.istio-system.svc"'],
    ['an IP address', [{ kind: 'ip', value: '10.0.0.1' }], [], 'ip "10.0.0.1"'],
    ['another identity as common name', [], [admin], `the common name "${admin}"`],
    ['its own SAN and a common name', [url(mine)], ['istiod'], 'the common name "istiod"'],
  ])('refuses %s, saying what was asked and what is allowed', (_, names, commonNames, asked) => {
    const decide = () => decideIdentity(caller, { names, commonNames, asksForAuthority: false });
    expect(decide).toThrow(expect.objectContaining({ code: 'forbidden' }));
    expect(decide).toThrow(asked);
    expect(decide).toThrow(`this caller may have only ${mine}`);
  });

  it('refuses to make an authority', () => {
    expect(() => decideIdentity(caller, { names: [], commonNames: [], asksForAuthority: true })).toThrow(/authority/);
  });
});

describe('dnsNamesOf', () => {
  it("gives the control plane's servers the names of their Services, and this machine's", () => {
    const galley = { trustDomain: 'cluster.local', namespace: 'istio-system', serviceAccount: 'galley' };
    expect(dnsNamesOf(galley)).toEqual([
      'galley',
      'galley.istio-system',
      'galley.istio-system.svc',
      'galley.istio-system.svc.cluster.local',
      'localhost',
    ]);
  });

  it.each([
    ['a workload', caller],
    ["a workload that has a server's name", { ...caller, serviceAccount: 'galley' }],
    ['a gateway beside the control plane', { ...caller, namespace: 'istio-system', serviceAccount: 'ingress' }],
  ])('gives %s none', (_, id) => {
    expect(dnsNamesOf(id)).toEqual([]);
  });
});
