import type { Clock } from '@flotilla/runtime';
import type { StatsRegistry } from '../base/stats.ts';
import type { ApplyUpdate } from './discovery-stream.ts';

/** Counts what became of updates. */
export interface UpdateCounts {
  succeeded(): void;
  rejected(): void;
}

/**
 * Statistics of one subscription under Envoy's names (`cluster_manager.cds.update_success`, …). As in Envoy an attempt
 * is the wait for an update: the first begins now, the next with the answer to the one before.
 */
export function openUpdateCounts(stats: StatsRegistry, clock: Clock, prefix: string): UpdateCounts {
  const attempts = stats.counter(`${prefix}.update_attempt`);
  const successes = stats.counter(`${prefix}.update_success`);
  const rejections = stats.counter(`${prefix}.update_rejected`);
  const updatedMs = stats.gauge(`${prefix}.update_time`);
  attempts.value += 1;
  return {
    succeeded() {
      attempts.value += 1;
      successes.value += 1;
      updatedMs.value = clock.now();
    },
    rejected() {
      attempts.value += 1;
      rejections.value += 1;
    },
  };
}

/** Counts the updates of a type: one is rejected when a part of it is. */
export function countUpdates(stats: StatsRegistry, clock: Clock, prefix: string, apply: ApplyUpdate): ApplyUpdate {
  const counts = openUpdateCounts(stats, clock, prefix);
  return async (update) => {
    const refusals = await apply(update);
    if (refusals.length === 0) counts.succeeded();
    else counts.rejected();
    return refusals;
  };
}
