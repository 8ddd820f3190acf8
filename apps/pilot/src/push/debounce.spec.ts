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

test('the first event of a quiet time is acted on at once', () => {
  const { clock, debouncer, firedAtMs } = start();
  debouncer.trigger();
  clock.advance(100);
  debouncer.trigger();
  clock.advance(500);
  expect(firedAtMs).toEqual([0, 100]);
});

test('events that follow closely on it make one more call, when it has become quiet', () => {
  const { clock, debouncer, firedAtMs } = start();
  for (let index = 0; index < 5; index++) {
    debouncer.trigger();
    clock.advance(50);
  }
  clock.advance(500);
  expect(firedAtMs).toEqual([0, 300]);
});

test('an event soon after a late call is not taken for the first of a quiet time', () => {
  const { clock, debouncer, firedAtMs } = start();
  debouncer.trigger();
  clock.advance(50);
  debouncer.trigger();
  clock.advance(150);
  debouncer.trigger();
  clock.advance(500);
  expect(firedAtMs).toEqual([0, 150, 300]);
});

test('events that never end wait no longer than the limit', () => {
  const { clock, debouncer, firedAtMs } = start();
  for (let index = 0; index < 50; index++) {
    debouncer.trigger();
    clock.advance(50);
  }
  expect(firedAtMs.slice(0, 3)).toEqual([0, 1_050, 2_050]);
});

test('closed, it calls no more', () => {
  const { clock, debouncer, firedAtMs } = start();
  debouncer.trigger();
  debouncer.trigger();
  debouncer.close();
  clock.advance(5_000);
  expect(firedAtMs).toEqual([0]);
});
