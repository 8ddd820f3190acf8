import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { expect, test } from 'vitest';
import { Alarms, type Claim } from './alarms.ts';

const CLAIM: Claim = { kind: 'refused', nodeId: 'sidecar~a', identity: 'spiffe://a', reason: 'it is not' };

function open() {
  const clock = new FakeClock();
  const counted: string[] = [];
  const warned: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void warned.push(message) };
  return { clock, counted, warned, alarms: new Alarms({ clock, logger, count: (kind) => counted.push(kind) }) };
}

test('one alarm is listed once, counted every time, and logged ever less often', () => {
  const { alarms, clock, counted, warned } = open();
  for (let times = 0; times < 100; times++) {
    alarms.raise(CLAIM);
    clock.advance(1_000);
  }
  expect(alarms.list()).toMatchObject([{ ...CLAIM, count: 100, lastAtMs: clock.now() - 1_000 }]);
  expect([counted.length, warned.length]).toEqual([100, 7]);
});

test('the latest come first, and of very many the longest silent is forgotten', () => {
  const { alarms } = open();
  alarms.raise({ ...CLAIM, reason: 'first' });
  alarms.raise({ ...CLAIM, reason: 'silent' });
  alarms.raise({ ...CLAIM, reason: 'first' });
  for (let other = 0; other < 99; other++) alarms.raise({ ...CLAIM, reason: `other ${other}` });
  const reasons = alarms.list().map(({ reason }) => reason);
  expect(reasons).toHaveLength(100);
  expect([reasons[0], reasons.at(-1)]).toEqual(['other 98', 'first']);
});

test('what a proxy wrote is short, and moves no terminal', () => {
  const { alarms } = open();
  alarms.raise({ ...CLAIM, nodeId: '\u001b[2Jx', reason: 'y'.repeat(10_000) });
  const [alarm] = alarms.list();
  expect([alarm?.nodeId, alarm?.reason.length]).toEqual(['\uFFFD[2Jx', 300]);
});
