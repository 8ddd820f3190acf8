import type { Clock } from '@flotilla/runtime';
import type { ApplyUpdate } from './discovery-stream.ts';

/** Waits for the first update of a type. */
export interface FirstUpdate {
  /** Settles when the first update was taken into use, or its time is over. */
  readonly settled: Promise<void>;
  /** The same step, watched. */
  watch(apply: ApplyUpdate): ApplyUpdate;
  cancel(): void;
}

/** `timeoutMs` 0 waits without end. */
export function firstUpdate(clock: Clock, timeoutMs: number, onTimeout: () => void): FirstUpdate {
  const { promise: settled, resolve } = Promise.withResolvers<void>();
  const expire = (): void => {
    onTimeout();
    resolve();
  };
  const timer = timeoutMs === 0 ? null : clock.after(timeoutMs, expire);
  return {
    settled,
    watch: (apply) => async (update) => {
      timer?.cancel();
      try {
        return await apply(update);
      } finally {
        resolve();
      }
    },
    cancel: () => timer?.cancel(),
  };
}
