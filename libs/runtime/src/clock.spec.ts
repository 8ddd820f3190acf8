import { describe, expect, it } from 'vitest';
import { FakeClock } from './clock.ts';

describe('FakeClock', () => {
  it('fires timers in the order of their due time, then of their creation', () => {
    const clock = new FakeClock(0);
    const fired: string[] = [];
    clock.after(20, () => fired.push('late'));
    clock.after(10, () => fired.push('first'));
    clock.after(10, () => fired.push('second'));
    clock.advance(20);
    expect(fired).toEqual(['first', 'second', 'late']);
  });

  it('fires a timer that another timer set, when it falls due within the same advance', () => {
    const clock = new FakeClock(0);
    const seen: number[] = [];
    clock.after(5, () => clock.after(5, () => seen.push(clock.now())));
    clock.advance(10);
    expect(seen).toEqual([10]);
  });

  it('does not fire a cancelled timer', () => {
    const clock = new FakeClock(0);
    let fired = false;
    clock.after(1, () => (fired = true)).cancel();
    clock.advance(5);
    expect(fired).toBe(false);
    expect(clock.pendingCount).toBe(0);
  });
});
