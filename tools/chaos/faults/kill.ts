import { type Fault, partsOf } from './fault.ts';

/** `kill -9`; started again when its time is over. */
export const kill: Fault = async ({ parts }, step) => {
  const killed = partsOf(parts, step);
  await Promise.all(killed.map((part) => part.down('SIGKILL')));
  return {
    heal: async () => {
      await Promise.all(killed.map((part) => part.up()));
    },
  };
};
