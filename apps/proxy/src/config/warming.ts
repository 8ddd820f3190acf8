import type { Clock, Timer } from '@flotilla/runtime';

/**
 * A resource that waits for others before it is used: a cluster for its endpoints and secrets, a listener for its
 * routes and secrets. Until then the previous version of it, if any, stays in use.
 *
 * ```
 * start ─▶ waiting ─ satisfy(last need) ─▶ ready
 *             ├── time-out ─▶ ready, with what there is (Envoy: initial_fetch_timeout)
 *             └── cancel ─▶ replaced or removed
 * ```
 */
export interface Warming {
  /** What has not arrived: `eds:<name>`, `rds:<name>`, `secret:<name>`. */
  readonly pending: ReadonlySet<string>;
  satisfy(need: string): void;
  cancel(): void;
  /** Settles when it is ready or cancelled. */
  readonly settled: Promise<void>;
}

export interface WarmingOptions {
  readonly needs: Iterable<string>;
  /** 0 waits without end. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Called once, unless cancelled. `missing` is what never arrived. */
  readonly onReady: (missing: readonly string[]) => void;
}

export function startWarming(options: WarmingOptions): Warming {
  const pending = new Set(options.needs);
  const { promise: settled, resolve } = Promise.withResolvers<void>();
  let isOver = false;
  let timer: Timer | null = null;
  function finish(isReady: boolean): void {
    if (isOver) return;
    isOver = true;
    timer?.cancel();
    if (isReady) options.onReady([...pending]);
    resolve();
  }
  if (options.timeoutMs > 0) timer = options.clock.after(options.timeoutMs, () => finish(true));
  return {
    pending,
    satisfy(need) {
      if (pending.delete(need) && pending.size === 0) finish(true);
    },
    cancel: () => finish(false),
    settled,
  };
}
