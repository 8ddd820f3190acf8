import { setTimeout as delay } from 'node:timers/promises';
import { FAULTS } from './faults/index.ts';
import { ROSTER } from './mesh.ts';
import type { Step } from './plan.ts';
import type { World } from './world.ts';

/** What became of a step. Times are milliseconds since the epoch. */
export interface Done {
  readonly step: Step;
  readonly startMs: number;
  readonly endMs: number;
  /** `skipped`: it would have taken away the last instance. */
  readonly outcome: 'injected' | 'skipped' | 'failed';
  /** What it found that must not be, or why it could not be done. */
  readonly violations: readonly string[];
}

/** Carries out a plan that begins now; each step waits for those before it that have a target in common. */
export async function execute(
  world: World,
  steps: readonly Step[],
  say: (line: string) => void,
): Promise<readonly Done[]> {
  const startedMs = performance.now();
  const busy = new Map<string, Promise<unknown>>();
  const running = steps.map((step) => {
    // Of one workload, one instance is down at a time.
    const holds = step.kind === 'instance' ? ROSTER.instances : step.targets;
    const before = Promise.all(holds.map((name) => busy.get(name)));
    const done = Promise.all([delay(Math.max(0, startedMs + step.atMs - performance.now())), before]).then(() =>
      carryOut(world, step, say),
    );
    for (const name of holds) busy.set(name, done);
    return done;
  });
  return Promise.all(running);
}

async function carryOut(world: World, step: Step, say: (line: string) => void): Promise<Done> {
  const startMs = Date.now();
  const violations: string[] = [];
  const done = (outcome: Done['outcome']): Done => {
    say([`#${step.number}`, outcome, step.kind, ...step.targets, ...violations].join('  '));
    return { step, startMs, endMs: Date.now(), outcome, violations };
  };
  try {
    const injected = await FAULTS[step.kind](world, step, (violation) => violations.push(violation));
    if (injected === null) return done('skipped');
    await delay(step.forMs);
    await injected.heal();
    return done('injected');
  } catch (error) {
    violations.push(error instanceof Error ? error.message : String(error));
    return done('failed');
  }
}
