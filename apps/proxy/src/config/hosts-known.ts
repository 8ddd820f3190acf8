import type { Clock } from '@flotilla/runtime';
import type { ClusterTarget } from './cluster-target.ts';

/** How long readiness waits for the first answers of DNS. */
const FIRST_LOOKUP_MS = 5_000;

/** Waits for the first hosts of these clusters; a name that cannot be resolved is not waited for without end. */
export async function untilHostsKnown(names: Iterable<string>, target: ClusterTarget, clock: Clock): Promise<void> {
  const unknown = new Set([...names].filter((name) => !target.isWarm(name)));
  if (unknown.size === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(FIRST_LOOKUP_MS, resolve);
  const stop = target.onWarm((name) => {
    unknown.delete(name);
    if (unknown.size === 0) resolve();
  });
  await promise;
  timer.cancel();
  stop();
}
