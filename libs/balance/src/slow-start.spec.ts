import { describe, expect, it } from 'vitest';
import { FakeClock, seededRandom } from '@flotilla/runtime';
import { roundRobin, slowStart, slowStartShare } from './index.ts';

const SETTINGS = { windowMs: 10_000, aggression: 1, minShare: 0.1 };
const host = (name: string, healthySinceMs: number) => ({ name, weight: 1, activeRequests: 0, healthySinceMs });

describe('slow start', () => {
  it.each([
    ['begins with the least share', 1, 0, 0.1],
    ['grows in a line', 1, 5_000, 0.5],
    ['grows sooner with aggression', 2, 2_500, 0.5],
    ['ends with all of it', 1, 10_000, 1],
  ])('%s', (_what, aggression, nowMs, share) => {
    expect(slowStartShare(host('a', 0), { ...SETTINGS, aggression }, nowMs)).toBeCloseTo(share);
  });

  it('lets a new host take part slowly, and by its turn when it is over', () => {
    const clock = new FakeClock();
    const random = seededRandom(3);
    const start = clock.monotonicMs();
    const hosts = [host('old', start - 60_000), host('new', start)];
    const inner = roundRobin(hosts, random);
    const picker = slowStart(hosts, random, inner, (each) => each.weight, SETTINGS, clock);
    const shareOfNew = (): number => {
      const names = Array.from({ length: 1_000 }, () => picker.pick(random)?.name);
      return names.filter((name) => name === 'new').length / 1_000;
    };
    expect(shareOfNew()).toBeCloseTo(0.1 / 1.1, 1);
    clock.advance(5_000);
    expect(shareOfNew()).toBeCloseTo(0.5 / 1.5, 1);
    clock.advance(5_000);
    expect(shareOfNew()).toBe(0.5);
  });
});
