import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { proxyNode } from '../testing/registrar.ts';
import type { SidecarOptions } from '@flotilla/translate/testing';
import { bindNode, type ProvenIdentity } from './bind.ts';
import type { WorkloadBinding } from '@flotilla/translate';

const RATINGS: WorkloadBinding = {
  source: 'WorkloadGroup default/ratings-v1',
  serviceAccount: 'bookinfo-ratings',
  proxyType: 'sidecar',
  labels: { app: 'ratings', version: 'v1' },
  ports: { http: 21_001 },
  addresses: ['127.0.0.1'],
  network: '',
  locality: '',
};
const PRODUCTPAGE: WorkloadBinding = {
  ...RATINGS,
  source: 'Deployment default/productpage-v1',
  serviceAccount: 'bookinfo-productpage',
  labels: { app: 'productpage' },
  ports: {},
  addresses: [],
};
const BINDINGS = new Map([
  ['default/ratings-v1', RATINGS],
  ['default/productpage-v1', PRODUCTPAGE],
]);
const port = (bindPort: number, bindAddress = '127.0.0.1', name = 'http') => ({
  ...{ name, port: 9080, bindAddress, bindPort },
});
const identity = (serviceAccount = 'bookinfo-ratings', workload: string | null = null): ProvenIdentity => ({
  spiffeId: { trustDomain: 'cluster.local', namespace: 'default', serviceAccount },
  workload,
});
const claim = (options: SidecarOptions = {}) =>
  proxyNode({ workload: 'ratings-v1', ports: [port(21_001)], httpProxyPort: 0, ...options });

describe('a proxy is refused', () => {
  test.each<[string, SidecarOptions, ProvenIdentity, RegExp]>([
    [
      'as a workload of another identity',
      { workload: 'productpage-v1' },
      identity(),
      /of service account bookinfo-productpage, not of bookinfo-ratings/,
    ],
    [
      'as a workload that nobody described',
      { workload: 'x' },
      identity(),
      /nothing .* describes the workload default\/x/,
    ],
    ['in another namespace', { namespace: 'other' }, identity(), /describes the workload other\/ratings-v1/],
    [
      'as another workload than that of its token',
      {},
      identity('bookinfo-ratings', 'ratings-v2'),
      /certificate for the workload ratings-v2/,
    ],
    ['at the port of somebody else', { ports: [port(21_002)] }, identity(), /no port "http" at 21002/],
    [
      'with a port that it does not have',
      { ports: [port(21_001), port(80, '127.0.0.1', 'x')] },
      identity(),
      /no port "x"/,
    ],
    ['at another address', { ports: [port(21_001, '10.0.0.9')] }, identity(), /10\.0\.0\.9 is not an address/],
  ])('%s', (_, options, who, reason) => {
    expect(bindNode(claim(options), who, BINDINGS)).toMatchObject({
      verdict: 'refused',
      reason: expect.stringMatching(reason) as string,
    });
  });

  test('as a gateway where its workload is none, and the reverse', () => {
    const router = { ...claim(), type: 'router' as const };
    expect(bindNode(router, identity(), BINDINGS)).toMatchObject({
      reason: expect.stringMatching(/are sidecars/) as string,
    });
    const gateways = new Map([['default/ratings-v1', { ...RATINGS, proxyType: 'router' as const }]]);
    expect(bindNode(claim(), identity(), gateways)).toMatchObject({
      reason: expect.stringMatching(/are routers/) as string,
    });
  });
});

describe('a proxy is bound', () => {
  test('to labels that it says or leaves out, without a word', () => {
    for (const labels of [{}, { version: 'v1' }, RATINGS.labels]) {
      const verdict = bindNode(claim({ labels }), identity('bookinfo-ratings', 'ratings-v1'), BINDINGS);
      expect(verdict).toMatchObject({ verdict: 'bound', node: { labels: RATINGS.labels }, contradictions: [] });
    }
  });

  test('to its own labels when it says others, which is told', () => {
    const labels = { app: 'nothing', 'flotilla.io/service': 'productpage' };
    expect(bindNode(claim({ labels }), identity(), BINDINGS)).toMatchObject({
      node: { labels: RATINGS.labels },
      contradictions: [
        'label app=nothing: WorkloadGroup default/ratings-v1 says ratings',
        'label flotilla.io/service=productpage: WorkloadGroup default/ratings-v1 says nothing of it',
      ],
    });
  });

  test('to the ports, network and locality that are its own, where it says none', () => {
    const binding = { ...RATINGS, network: 'east', locality: 'a/b' };
    const verdict = bindNode(claim({ ports: [] }), identity(), new Map([['default/ratings-v1', binding]]));
    expect(verdict).toMatchObject({ node: { portsByName: { http: 21_001 }, network: 'east', locality: 'a/b' } });
  });

  test('listening on every address, at its own', () => {
    expect(bindNode(claim({ ports: [port(21_001, '0.0.0.0')] }), identity(), BINDINGS).verdict).toBe('bound');
  });
});

test('whatever a proxy says, it gets no labels, type, address or port but those of a workload of its identity', () => {
  const accounts = ['bookinfo-ratings', 'bookinfo-productpage', 'other'];
  fc.assert(
    fc.property(
      fc.constantFrom('ratings-v1', 'productpage-v1', 'x'),
      fc.dictionary(
        fc.constantFrom('app', 'version', 'flotilla.io/service'),
        fc.constantFrom('ratings', 'productpage'),
      ),
      fc.constantFrom('sidecar' as const, 'router' as const),
      fc.constantFrom(...accounts),
      fc.option(fc.constantFrom('ratings-v1', 'productpage-v1')),
      fc.array(fc.constantFrom(port(21_001), port(21_002), port(21_001, '10.0.0.1')), { maxLength: 2 }),
      (workload, labels, type, account, tokenWorkload, ports) => {
        const verdict = bindNode(
          { ...claim({ workload, labels, ports }), type },
          identity(account, tokenWorkload),
          BINDINGS,
        );
        if (verdict.verdict === 'refused') return;
        const binding = BINDINGS.get(`default/${workload}`);
        expect(binding?.serviceAccount).toBe(account);
        expect(tokenWorkload ?? workload).toBe(workload);
        expect([verdict.node.labels, verdict.node.type]).toEqual([binding?.labels, binding?.proxyType]);
        if (workload === 'ratings-v1') {
          expect(verdict.node.portsByName).toEqual(RATINGS.ports);
          for (const each of ports) expect([each.bindAddress, each.bindPort]).toEqual(['127.0.0.1', 21_001]);
        }
      },
    ),
  );
});
