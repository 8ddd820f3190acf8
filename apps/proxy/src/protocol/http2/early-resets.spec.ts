import { describe, expect, it } from 'vitest';
import { EarlyResets } from './early-resets.ts';

const count = (resets: EarlyResets, times: number, isEarly: boolean): boolean[] =>
  Array.from({ length: times }, () => resets.count(isEarly));

describe('requests that are given up at once', () => {
  it('are too many from the 250th on, while there are fewer than 500 requests', () => {
    const verdicts = count(new EarlyResets(), 250, true);
    expect(verdicts.indexOf(true)).toBe(249);
  });

  it('are too many when they are half of all, of more requests', () => {
    const resets = new EarlyResets();
    count(resets, 600, false);
    expect(count(resets, 599, true)).not.toContain(true);
    expect(resets.count(true)).toBe(true);
  });

  it('are never too many where none is early', () => {
    expect(count(new EarlyResets(), 2_000, false)).not.toContain(true);
  });
});
