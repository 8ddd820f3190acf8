import type { Step } from '../plan.ts';
import type { World } from '../world.ts';

/** What comes of a fault. */
export interface Injected {
  /** Undoes it, when its time is over; resolves when that is done. */
  heal(): Promise<void>;
}

/**
 * One kind of fault. Resolves when it is in force, or with null when it would take away the last of what there must be one
 * of. What it finds that must not be, such as a forged token that is taken, it tells `report`; what it cannot do it throws.
 */
export type Fault = (world: World, step: Step, report: (violation: string) => void) => Promise<Injected | null>;

/** The parts that a step names. */
export function partsOf<T>(from: ReadonlyMap<string, T>, step: Step): readonly T[] {
  return step.targets.map((name) => {
    const found = from.get(name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  });
}

/** Of a fault that is over by itself. */
export const NOTHING_TO_HEAL: Injected = { heal: async () => undefined };
