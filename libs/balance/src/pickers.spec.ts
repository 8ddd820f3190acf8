import { describe, expect, it } from 'vitest';
import { seededRandom } from '@flotilla/runtime';
import { type Balanced, leastRequest, type Picker, randomChoice, roundRobin, weightedGroups } from './index.ts';

interface Host extends Balanced {
  readonly name: string;
  activeRequests: number;
}

const host = (name: string, weight = 1): Host => ({ name, weight, activeRequests: 0 });
const TWO_CHOICES = { choiceCount: 2, activeRequestBias: 1 };

function tally(picker: Picker<Host>, picks: number, seed = 1): Record<string, number> {
  const random = seededRandom(seed);
  const counts: Record<string, number> = {};
  for (let index = 0; index < picks; index++) {
    const name = picker.pick(random)?.name ?? 'none';
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe.each([
  ['round robin', (hosts: Host[]) => roundRobin(hosts, seededRandom(7))],
  ['random', (hosts: Host[]) => randomChoice(hosts)],
  ['least request', (hosts: Host[]) => leastRequest(hosts, seededRandom(7), TWO_CHOICES)],
])('every picker: %s', (_name, create) => {
  it('has nothing to pick from an empty set', () => {
    expect(create([]).pick(seededRandom(1))).toBeNull();
  });
  it('always picks the only host', () => {
    expect(tally(create([host('a')]), 10)).toEqual({ a: 10 });
  });
  it('spreads evenly over equal hosts', () => {
    const counts = tally(create([host('a'), host('b'), host('c')]), 30_000);
    for (const name of ['a', 'b', 'c']) expect(Math.abs((counts[name] ?? 0) - 10_000)).toBeLessThan(300);
  });
});

describe('round robin', () => {
  it('goes round in order', () => {
    const picker = roundRobin([host('a'), host('b'), host('c')], () => 0);
    const names = Array.from({ length: 6 }, () => picker.pick(() => 0)?.name).join('');
    expect(names).toBe('bcabca');
  });
  it('honours weights exactly over a cycle', () => {
    const hosts = [host('a', 90), host('b', 10)];
    const counts = tally(roundRobin(hosts, seededRandom(3)), 1_000);
    expect(Math.abs((counts['a'] ?? 0) - 900)).toBeLessThanOrEqual(2);
  });
  it('spreads a heavy host instead of sending bursts', () => {
    const picker = roundRobin([host('a', 2), host('b', 1), host('c', 1)], () => 0);
    const names = Array.from({ length: 40 }, () => picker.pick(() => 0)?.name).join('');
    expect(names).not.toContain('aaa');
    expect(names.split('a').length - 1).toBe(20);
  });
  it('starts at different places, so that many proxies do not meet on one host', () => {
    const random = seededRandom(5);
    const first = new Set<string>();
    for (let index = 0; index < 50; index++) {
      first.add(roundRobin([host('a'), host('b'), host('c')], random).pick(random)?.name ?? '');
      first.add(roundRobin([host('x', 1), host('y', 2), host('z', 3)], random).pick(random)?.name ?? '');
    }
    expect(first).toEqual(new Set(['a', 'b', 'c', 'x', 'y', 'z']));
  });
});

describe('least request', () => {
  it('prefers the less busy of two, and never starves the busy one wholly when it is drawn twice', () => {
    const hosts = [host('a'), host('b')];
    if (hosts[0] !== undefined) hosts[0].activeRequests = 10;
    const counts = tally(leastRequest(hosts, seededRandom(1), TWO_CHOICES), 10_000);
    expect(Math.abs((counts['a'] ?? 0) - 2_500)).toBeLessThan(200);
  });
  it('lowers the weight of busy hosts where weights differ', () => {
    const hosts = [host('a', 2), host('b', 1)];
    const even = tally(leastRequest(hosts, seededRandom(1), TWO_CHOICES), 3_000);
    expect(Math.abs((even['a'] ?? 0) - 2_000)).toBeLessThanOrEqual(2);
    if (hosts[0] !== undefined) hosts[0].activeRequests = 3;
    const busy = tally(leastRequest(hosts, seededRandom(1), TWO_CHOICES), 3_000);
    expect(Math.abs((busy['a'] ?? 0) - 1_000)).toBeLessThanOrEqual(2);
  });
  it('keeps the load within a small band when requests last', () => {
    const hosts = [host('a'), host('b'), host('c'), host('d')];
    const random = seededRandom(11);
    const picker = leastRequest(hosts, random, TWO_CHOICES);
    for (let index = 0; index < 4_000; index++) {
      const picked = picker.pick(random);
      if (picked !== null) picked.activeRequests += 1;
    }
    const loads = hosts.map((each) => each.activeRequests);
    expect(Math.max(...loads) - Math.min(...loads)).toBeLessThan(12);
  });
});

describe('weighted groups', () => {
  it('picks groups by weight and hosts inside by the group picker', () => {
    const near = roundRobin([host('a'), host('b')], () => 0);
    const far = roundRobin([host('c')], () => 0);
    const counts = tally(
      weightedGroups(
        [
          { weight: 80, picker: near },
          { weight: 20, picker: far },
        ],
        seededRandom(1),
      ),
      1_000,
    );
    for (const [name, expected] of Object.entries({ a: 400, b: 400, c: 200 })) {
      expect(Math.abs((counts[name] ?? 0) - expected)).toBeLessThanOrEqual(2);
    }
  });
});
