import { seededRandom } from '@flotilla/runtime';
import { describe, expect, it } from 'vitest';
import { loadOfPriorities, maglev, MAGLEV_TABLE_SIZE, murmurHash2, ringHash, xxHash64 } from './index.ts';

describe('hashes', () => {
  it.each<[string, bigint, bigint]>([
    ['', 0n, 0xef46_db37_51d8_e999n],
    ['a', 0n, 0xd24e_c4f1_a98c_6e5bn],
    ['abc', 0n, 0x44bc_2cf5_ad77_0999n],
    ['Nobody inspects the spammish repetition', 0n, 0xfbce_a83c_8a37_8bf1n],
  ])('XXH64 of "%s"', (text, seed, hash) => {
    expect(xxHash64(text, seed)).toBe(hash);
  });

  it('MurmurHash2 depends on every byte', () => {
    const hashes = new Set(['', 'a', 'b', 'abcdefg', 'abcdefgh', 'abcdefghi'].map(murmurHash2));
    expect(hashes.size).toBe(6);
  });
});

const hosts = (count: number, weight = (_index: number) => 1) =>
  Array.from({ length: count }, (_, index) => ({
    key: `10.0.0.${index}:80`,
    weight: weight(index),
    activeRequests: 0,
  }));
type TestHost = ReturnType<typeof hosts>[number];
const KEYS = Array.from({ length: 1000 }, (_, index) => xxHash64(`user-${index}`));
const random = seededRandom(1);

const makers = {
  'ring hash': (list: readonly TestHost[]) =>
    ringHash(list, (host) => host.key, { minSize: 1024, maxSize: 8_388_608, hash: xxHash64 }),
  maglev: (list: readonly TestHost[]) => maglev(list, (host) => host.key, MAGLEV_TABLE_SIZE),
};

describe.each(Object.entries(makers))('%s', (_name, make) => {
  it('keeps keys where they are, and moves few when a host goes', () => {
    const before = make(hosts(10));
    const after = make(hosts(10).slice(0, 9));
    const moved = KEYS.filter((key) => before.pick(random, key)?.key !== after.pick(random, key)?.key);
    expect(moved.length).toBeGreaterThan(50);
    expect(moved.length).toBeLessThan(250);
    expect(KEYS.every((key) => before.pick(random, key) === before.pick(random, key))).toBe(true);
  });

  it('gives hosts keys by their weights', () => {
    const picker = make(hosts(2, (index) => (index === 0 ? 1 : 3)));
    const heavy = KEYS.filter((key) => picker.pick(random, key)?.weight === 3).length;
    expect(heavy).toBeGreaterThan(650);
    expect(heavy).toBeLessThan(850);
  });

  it('has a host for requests without a hash, and none among none', () => {
    expect(make(hosts(3)).pick(random, null)).not.toBeNull();
    expect(make([]).pick(random, 1n)).toBeNull();
  });
});

describe('priorities', () => {
  const health = (...parts: (readonly [number, number, number])[]) =>
    parts.map(([total, healthy, degraded]) => ({ total, healthy, degraded }));

  it.each([
    ['all is well', health([10, 10, 0], [10, 10, 0]), [100, 0], [0, 0], [false, false]],
    ['72 % are enough', health([100, 72, 0], [10, 10, 0]), [100, 0], [0, 0], [false, false]],
    ['half spills', health([10, 5, 0], [10, 10, 0]), [70, 30], [0, 0], [false, false]],
    ['degraded ones come last', health([10, 0, 10], [10, 5, 0]), [0, 70], [30, 0], [false, false]],
    ['too few in all', health([10, 2, 0], [10, 2, 0]), [50, 50], [0, 0], [true, true]],
    ['none at all', health([10, 0, 0], [30, 0, 0]), [25, 75], [0, 0], [true, true]],
  ])('%s', (_name, priorities, healthy, degraded, panic) => {
    const loads = loadOfPriorities(priorities, 140, 50);
    expect(loads.map((load) => load.healthy)).toEqual(healthy);
    expect(loads.map((load) => load.degraded)).toEqual(degraded);
    expect(loads.map((load) => load.isPanic)).toEqual(panic);
  });
});
