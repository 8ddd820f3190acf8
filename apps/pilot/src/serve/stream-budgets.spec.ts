import { FakeClock, type FlotillaError } from '@flotilla/runtime';
import { beforeEach, expect, test } from 'vitest';
import { type StreamBudget, StreamBudgets } from './stream-budgets.ts';
import { PENALTY_MS, STREAM_LIMITS } from './stream-limits.ts';

const LIMITS = {
  ...STREAM_LIMITS,
  streams: 6,
  identityStreams: 4,
  nodeStreams: 2,
  names: 100,
  unknownNames: 10,
  identityUnknownNames: 15,
  allUnknownNames: 24,
  requestsPerSecond: 10,
  requestBurst: 20,
};

let clock: FakeClock;
let budgets: StreamBudgets;
let cut: Map<string, FlotillaError[]>;
beforeEach(() => {
  clock = new FakeClock();
  budgets = new StreamBudgets(LIMITS, clock);
  cut = new Map();
});

function open(owner: string): StreamBudget {
  const budget = budgets.open(owner, (error) => {
    cut.set(owner, [...(cut.get(owner) ?? []), error]);
    budget.close();
  });
  return budget;
}

const times = (count: number, action: () => void) => Array.from({ length: count }).forEach(action);

test.each<[string, string, () => void]>([
  ['more streams than there may be', 'pilot.streams', () => times(7, () => open(`owner ${Math.random()}`))],
  ['more streams of one identity', 'pilot.identity-streams', () => times(5, () => open('a'))],
  ['more streams of one node', 'pilot.node-streams', () => times(3, () => open('a').named('node'))],
  ['more names on one stream', 'pilot.stream-names', () => open('a').hold(101, 0)],
  ['more unknown names on one stream', 'pilot.stream-unknown-names', () => open('a').hold(50, 11)],
  ['more unknown names of one identity', 'pilot.identity-unknown-names', () => times(2, () => open('a').hold(8, 8))],
  ['requests without a pause', 'pilot.stream-requests', () => spendAll(open('a'), 21)],
])('%s are refused, by the name of the limit', (_, name, action) => {
  expect(action).toThrow(expect.objectContaining({ code: 'exhausted', message: expect.stringContaining(name) }));
});

function spendAll(budget: StreamBudget, count: number): void {
  times(count, () => budget.spend());
}

test('requests at the rate go on for ever, and a pause gives the burst back', () => {
  const budget = open('a');
  spendAll(budget, 20);
  times(100, () => {
    clock.advance(100);
    budget.spend();
  });
  clock.advance(60_000);
  spendAll(budget, 20);
  expect(() => budget.spend()).toThrow('pilot.stream-requests');
});

test('the one that holds most is cut when all hold too much, and no other', () => {
  const [small, ...large] = [open('small'), open('large'), open('large')];
  large[0]?.hold(9, 9);
  large[1]?.hold(5, 5);
  small.hold(10, 10);
  expect([...cut.keys()]).toEqual([]);
  const other = open('other');
  other.hold(1, 1);
  expect([...cut].map(([owner, errors]) => [owner, errors.length])).toEqual([['large', 2]]);
  // What it held is free again.
  other.hold(10, 10);
});

test('an identity that was cut may come back after a while, and others at once', () => {
  const greedy = open('greedy');
  expect(() => greedy.hold(200, 0)).toThrow('pilot.stream-names');
  greedy.close();
  expect(() => open('greedy')).toThrow('a moment ago');
  open('modest');
  clock.advance(PENALTY_MS);
  open('greedy');
});

test('names that became unknown by a change, or are given back, are nobody to cut', () => {
  const budget = open('a');
  budget.hold(10, 10);
  budget.hold(9, 9);
  budget.close();
  times(2, () => open('a').hold(7, 7));
  expect(clock.pendingCount).toBe(0);
});
