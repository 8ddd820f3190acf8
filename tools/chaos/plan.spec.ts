import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, formatPlan, makePlan, QUIET_END_MS, type Roster, type Step } from './plan.ts';

const roster: Roster = {
  control: ['Redis', 'citadel', 'galley', 'pilot-0', 'pilot-1'],
  instances: ['a-0', 'a-1', 'b-0', 'b-1'],
  disks: ['disk of Redis', 'disk of logs'],
  listeners: ['citadel', 'galley', 'pilot-0', 'a-0'],
};
const MINUTES = 10;
const seeds = Array.from({ length: 20 }, (_, at) => at + 1);
const endOf = ({ atMs, forMs }: Step) => atMs + forMs;

describe('a plan', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(makePlan(7, MINUTES * 60_000, roster)).toEqual(makePlan(7, MINUTES * 60_000, roster));
    expect(makePlan(7, MINUTES * 60_000, roster)).not.toEqual(makePlan(8, MINUTES * 60_000, roster));
  });

  it.each(seeds)('of seed %i has every kind, and a quiet end', (seed) => {
    const steps = makePlan(seed, 3 * 60_000, roster);
    expect(new Set(steps.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS));
    expect(Math.max(...steps.map(endOf))).toBeLessThanOrEqual(3 * 60_000 - QUIET_END_MS);
  });

  it.each(seeds)('of seed %i has no target in two faults at once, and one instance down at a time', (seed) => {
    const steps = makePlan(seed, MINUTES * 60_000, roster);
    for (const [at, step] of steps.entries()) {
      for (const later of steps.slice(at + 1).filter(({ atMs }) => atMs < endOf(step))) {
        expect(step.targets.filter((target) => later.targets.includes(target))).toEqual([]);
        expect([step.kind, later.kind]).not.toEqual(['instance', 'instance']);
      }
    }
  });

  it('is printed a line a fault', () => {
    const step: Step = { number: 1, kind: 'kill', targets: ['Redis', 'galley'], atMs: 1_500, forMs: 300, chance: 0 };
    expect(formatPlan([step])).toBe('#1  at 1.5 s  for 0.3 s  kill  Redis  galley');
  });
});
