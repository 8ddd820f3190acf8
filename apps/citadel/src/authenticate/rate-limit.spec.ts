import { FakeClock } from '@flotilla/runtime';
import { describe, expect, it } from 'vitest';
import { createRateLimit } from './rate-limit.ts';

describe('the rate limit', () => {
  it('lets a burst through, then as much as is regained, for each caller by itself', () => {
    const clock = new FakeClock();
    const take = createRateLimit({ burst: 3, perSecond: 2 }, clock);
    for (let i = 0; i < 3; i += 1) take('a');
    expect(() => take('a')).toThrow(expect.objectContaining({ code: 'exhausted' }));
    take('b');
    clock.advance(400);
    expect(() => take('a')).toThrow(/too often/);
    clock.advance(100);
    take('a');
    expect(() => take('a')).toThrow();
  });

  it('forgets the longest idle of very many callers', () => {
    const take = createRateLimit({ burst: 1, perSecond: 0 }, new FakeClock());
    take('first');
    for (let i = 0; i < 10_000; i += 1) take(`caller-${i}`);
    take('first');
    expect(() => take('caller-9999')).toThrow();
  });
});
