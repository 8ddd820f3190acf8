import type { Clock } from '@flotilla/runtime';
import type { StatsRegistry } from '../observe/stats.ts';
import type { ApplyDelta } from './delta-stream.ts';

/** Counts updates of a type under Envoy's names (`cluster_manager.cds.update_success`, …). */
export function countUpdates(stats: StatsRegistry, clock: Clock, prefix: string, apply: ApplyDelta): ApplyDelta {
  const attempts = stats.counter(`${prefix}.update_attempt`);
  const successes = stats.counter(`${prefix}.update_success`);
  const rejected = stats.counter(`${prefix}.update_rejected`);
  const updatedMs = stats.gauge(`${prefix}.update_time`);
  return async (update) => {
    attempts.value += 1;
    const refusals = await apply(update);
    (refusals.length === 0 ? successes : rejected).value += 1;
    if (refusals.length === 0) updatedMs.value = clock.now();
    return refusals;
  };
}
