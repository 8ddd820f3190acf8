import { describe, expect, it } from 'vitest';
import { explanationOf } from './explain.ts';
import type { Failure } from './load.ts';
import type { Outage } from './part.ts';

const outage: Outage = { part: 'svc-1-5', startMs: 1_000, goneMs: 1_010 };
const failure = (service: string, sentMs: number, endedMs: number): Failure => {
  return { number: 1, sentMs, endedMs, client: 'svc-3-3', service, status: 503, error: '' };
};

describe('a failed request', () => {
  it.each<[string, Failure, boolean]>([
    ['was on its way when an instance of its service was killed', failure('svc-1', 990, 1_020), true],
    ['began before the sidecar could hear of it', failure('svc-1', 1_050, 1_060), true],
    ['ended before', failure('svc-1', 900, 990), false],
    ['began while the instance was down, when the other one was there', failure('svc-1', 2_000, 2_010), false],
    ['was for another service', failure('svc-2', 990, 1_020), false],
  ])('that %s', (_, failed, isExplained) => {
    expect(explanationOf(failed, [outage]) !== null).toBe(isExplained);
  });
});
