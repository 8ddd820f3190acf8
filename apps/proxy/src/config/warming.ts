import type { Clock, Timer } from '@flotilla/runtime';

/**
 * A resource that waits for others before it is used: a cluster for its endpoints and secrets, a listener for its
 * routes, secrets and filters. Until then the previous version of it, if any, stays in use.
 *
 * ```
 * start ─▶ waiting ─ satisfy(need), or its time-out (Envoy: initial_fetch_timeout), for each ─▶ ready, with what there is
 *             └── cancel ─▶ replaced or removed
 * ```
 */
export interface Warming {
  /** What has not arrived: `eds:<name>`, `rds:<name>`, `ecds:<name>`, `secret:<name>`. */
  readonly pending: ReadonlySet<string>;
  satisfy(need: string): void;
  cancel(): void;
  /** Settles when it is ready or cancelled. */
  readonly settled: Promise<void>;
}

export interface WarmingOptions {
  /** Each with how long it is waited for, milliseconds; 0: without end. */
  readonly needs: ReadonlyMap<string, number>;
  readonly clock: Clock;
  /** Called once, unless cancelled. `missing` is what never arrived. */
  readonly onReady: (missing: readonly string[]) => void;
}

export function startWarming({ needs, clock, onReady }: WarmingOptions): Warming {
  const pending = new Set(needs.keys());
  const missing: string[] = [];
  const timers = new Map<string, Timer>();
  const { promise: settled, resolve } = Promise.withResolvers<void>();

  function settle(need: string): boolean {
    timers.get(need)?.cancel();
    timers.delete(need);
    return pending.delete(need);
  }

  function finishIfDone(): void {
    if (pending.size > 0) return;
    onReady(missing);
    resolve();
  }

  for (const [need, timeoutMs] of needs) {
    if (timeoutMs === 0) continue;
    const timer = clock.after(timeoutMs, () => {
      settle(need);
      missing.push(need);
      finishIfDone();
    });
    timers.set(need, timer);
  }
  return {
    pending,
    satisfy(need) {
      if (settle(need)) finishIfDone();
    },
    cancel() {
      for (const need of [...pending]) settle(need);
      resolve();
    },
    settled,
  };
}

/** Who waits for what: an arrival wakes those that wait for it, and looks at nobody else. */
export interface WaitingRoom {
  /** Until it has settled. */
  enter(warming: Warming): void;
  satisfy(need: string): void;
}

export function createWaitingRoom(): WaitingRoom {
  const byNeed = new Map<string, Set<Warming>>();
  return {
    enter(warming) {
      const needs = [...warming.pending];
      for (const need of needs) {
        const waiting = byNeed.get(need);
        if (waiting === undefined) byNeed.set(need, new Set([warming]));
        else waiting.add(warming);
      }
      void warming.settled.then(() => {
        for (const need of needs) {
          const waiting = byNeed.get(need);
          waiting?.delete(warming);
          if (waiting?.size === 0) byNeed.delete(need);
        }
      });
    },
    satisfy(need) {
      for (const warming of [...(byNeed.get(need) ?? [])]) warming.satisfy(need);
    },
  };
}
