import { FakeClock, type FlotillaError } from '@flotilla/runtime';
import { expect, test } from 'vitest';
import { openSender } from './sender.ts';

function open() {
  const clock = new FakeClock();
  const reads: (() => void)[] = [];
  const stalls: FlotillaError[] = [];
  let resumed = 0;
  const sender = openSender({
    write: (_, onRead) => void reads.push(onRead),
    onRead: () => void resumed++,
    onStalled: (error) => void stalls.push(error),
    limits: { unsentBytes: 10, unsentMs: 1_000 },
    clock,
  });
  return { clock, reads, stalls, sender, resumed: () => resumed };
}

test('waits for a proxy that does not read, and goes on when it has read', () => {
  const { sender, reads, resumed } = open();
  sender.send(Buffer.alloc(9));
  expect(sender.isBlocked()).toBe(false);
  sender.send(Buffer.alloc(9));
  expect(sender.isBlocked()).toBe(true);
  reads.shift()?.();
  expect([sender.isBlocked(), resumed()]).toEqual([false, 1]);
});

test('one that reads slowly is kept, one that reads nothing is not', () => {
  const { sender, reads, clock, stalls } = open();
  sender.send(Buffer.alloc(5));
  sender.send(Buffer.alloc(5));
  clock.advance(900);
  reads.shift()?.();
  clock.advance(900);
  expect(stalls).toEqual([]);
  clock.advance(100);
  expect(stalls).toMatchObject([{ code: 'exhausted', message: expect.stringContaining('pilot.unsent') }]);
});

test('an idle or closed stream is no stalled one', () => {
  const { sender, reads, clock, stalls } = open();
  sender.send(Buffer.alloc(5));
  reads.shift()?.();
  clock.advance(10_000);
  sender.send(Buffer.alloc(5));
  sender.close();
  clock.advance(10_000);
  expect([stalls, clock.pendingCount]).toEqual([[], 0]);
});
