import { expect, test } from 'vitest';
import { FakeClock } from '@flotilla/runtime';
import { WorkQueue } from './queue.ts';

/** A queue whose keys take so many steps of a millisecond each, and what was done in each turn. */
function start(steps: Record<string, number>) {
  const clock = new FakeClock();
  const turns: string[][] = [];
  let turn = 0;
  const queue = new WorkQueue<string>({
    clock,
    turnMs: 3,
    work(key, isTurnOver) {
      for (;;) {
        if ((steps[key] ?? 0) <= 0) return true;
        if (isTurnOver()) return false;
        steps[key] = (steps[key] ?? 0) - 1;
        clock.sleep(1);
        (turns[turn] ??= []).push(key);
      }
    },
  });
  const nextTurn = () =>
    new Promise<void>((resolve) =>
      setImmediate(() => {
        turn += 1;
        resolve();
      }),
    );
  return { queue, turns, nextTurn };
}

test('a turn takes no longer than it may, and what was begun is finished first', async () => {
  const { queue, turns, nextTurn } = start({ a: 2, b: 3, c: 1 });
  for (const key of ['a', 'b', 'c', 'a']) queue.add(key);
  for (let count = 0; count < 4; count++) await nextTurn();
  expect(turns.filter(Boolean)).toEqual([
    ['a', 'a', 'b'],
    ['b', 'b', 'c'],
  ]);
});

test('between turns others have their turn', async () => {
  const { queue, turns, nextTurn } = start({ a: 7 });
  queue.add('a');
  const others: number[] = [];
  setImmediate(() => others.push(turns.flat().length));
  await nextTurn();
  setImmediate(() => others.push(turns.flat().length));
  await nextTurn();
  expect(others).toEqual([3, 6]);
});

test('a key that was deleted is worked on no more, though it was begun', async () => {
  const { queue, turns, nextTurn } = start({ a: 4, b: 1 });
  queue.add('a');
  queue.add('b');
  await nextTurn();
  queue.delete('a');
  await nextTurn();
  await nextTurn();
  expect(turns.flat()).toEqual(['a', 'a', 'a', 'b']);
});
