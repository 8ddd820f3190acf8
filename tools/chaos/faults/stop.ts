import { type Fault, partsOf } from './fault.ts';

/** SIGSTOP, then SIGCONT: it keeps its connections and answers nobody. */
export const stop: Fault = async ({ parts }, step) => {
  const stopped = partsOf(parts, step);
  for (const part of stopped) part.pause();
  return {
    heal: async () => {
      for (const part of stopped) part.resume();
    },
  };
};
