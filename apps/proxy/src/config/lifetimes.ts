import type { Clock, Timer } from '@flotilla/runtime';
import type { XdsShortName } from '@flotilla/xds';

/** Resources that the control plane must confirm from time to time (xDS protocol, "resource TTL"). */
export interface Lifetimes {
  /** The resource was heard of: it lives so long from now; null: for good, or it has gone. */
  set(type: XdsShortName, name: string, ttlMs: number | null): void;
  close(): void;
}

export function createLifetimes(clock: Clock, onExpired: (type: XdsShortName, name: string) => void): Lifetimes {
  const timers = new Map<string, Timer>();
  return {
    set(type, name, ttlMs) {
      const key = `${type} ${name}`;
      timers.get(key)?.cancel();
      if (ttlMs === null) {
        timers.delete(key);
        return;
      }
      const timer = clock.after(ttlMs, () => {
        timers.delete(key);
        onExpired(type, name);
      });
      timers.set(key, timer);
    },
    close() {
      for (const timer of timers.values()) timer.cancel();
      timers.clear();
    },
  };
}
