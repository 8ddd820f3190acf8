import { type Fault, NOTHING_TO_HEAL, partsOf } from './fault.ts';

/** An orderly end of each in turn, then starts: in the same order or from the last to the first. */
export const restart: Fault = async ({ parts }, step) => {
  const restarted = partsOf(parts, step);
  for (const part of restarted) await part.down('SIGTERM');
  for (const part of step.chance < 0.5 ? restarted : restarted.toReversed()) await part.up();
  return NOTHING_TO_HEAL;
};
