import { FakeClock } from '@flotilla/runtime';
import { describe, expect, it } from 'vitest';
import { Deadline, StreamDeadlines } from './deadlines.ts';

function start() {
  const clock = new FakeClock(0);
  const reached: number[] = [];
  const deadline = new Deadline(clock, () => void reached.push(clock.monotonicMs()));
  return { clock, deadline, reached };
}

describe('a deadline', () => {
  it('is reached at its time, once', () => {
    const { clock, deadline, reached } = start();
    deadline.set(100, 0);
    clock.advance(1000);
    expect(reached).toEqual([100]);
  });

  it('may move later with one timer, and earlier', () => {
    const { clock, deadline, reached } = start();
    deadline.set(100, 0);
    clock.advance(50);
    deadline.set(150, 50);
    expect(clock.pendingCount).toBe(1);
    clock.advance(99);
    expect(reached).toEqual([]);
    deadline.set(170, 149);
    deadline.set(160, 149);
    clock.advance(100);
    expect(reached).toEqual([160]);
  });

  it('that is cleared is not reached, and leaves no timer behind', () => {
    const { clock, deadline, reached } = start();
    deadline.set(100, 0);
    deadline.clear();
    clock.advance(1000);
    expect(reached).toEqual([]);
    expect(clock.pendingCount).toBe(0);
  });
});

describe('the deadlines of a stream', () => {
  it('tell their owner of the time; none after it is over', () => {
    const clock = new FakeClock(0);
    const deadlines = new StreamDeadlines(clock);
    const seen: string[] = [];
    deadlines.owner = { onTimeout: (kind) => void seen.push(kind) };
    deadlines.set('route', 100, 0);
    deadlines.set('stream-idle', 50, 0);
    clock.advance(60);
    deadlines.clearAll();
    clock.advance(1000);
    expect(seen).toEqual(['stream-idle']);
  });
});
