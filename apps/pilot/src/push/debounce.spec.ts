import { expect, test } from 'vitest';
import { FakeClock } from '@flotilla/runtime';
import { Debouncer } from './debounce.ts';

function start() {
  const clock = new FakeClock();
  const firedAtMs: number[] = [];
  const startMs = clock.now();
  const debouncer = new Debouncer({ quietMs: 100, maxMs: 1_000 }, clock, () => firedAtMs.push(clock.now() - startMs));
  return { clock, debouncer, firedAtMs };
}

test('events that follow closely make one call, when it has become quiet', () => {
  const { clock, debouncer, firedAtMs } = start();
  for (let index = 0; index < 5; index++) {
    debouncer.trigger();
    clock.advance(50);
  }
  clock.advance(500);
  expect(firedAtMs).toEqual([300]);
});

test('events that never end wait no longer than the limit', () => {
  const { clock, debouncer, firedAtMs } = start();
  for (let index = 0; index < 50; index++) {
    debouncer.trigger();
    clock.advance(50);
  }
  expect(firedAtMs.slice(0, 2)).toEqual([1_000, 2_000]);
});

test('closed, it calls no more', () => {
  const { clock, debouncer, firedAtMs } = start();
  debouncer.trigger();
  debouncer.close();
  clock.advance(5_000);
  expect(firedAtMs).toEqual([]);
});
