import type { Clock } from '@flotilla/runtime';
import type { StatsRegistry } from '../base/stats.ts';

/** `server.*` statistics, brought up to date when somebody looks. */
export function serverStats(stats: StatsRegistry, clock: Clock, startedMs: number, concurrency: number) {
  const live = stats.gauge('server.live');
  const state = stats.gauge('server.state');
  const uptime = stats.gauge('server.uptime');
  const allocated = stats.gauge('server.memory_allocated');
  const heap = stats.gauge('server.memory_heap_size');
  const physical = stats.gauge('server.memory_physical_size');
  stats.gauge('server.concurrency').value = concurrency;
  return {
    update(isServing: boolean): void {
      const usage = process.memoryUsage();
      live.value = isServing ? 1 : 0;
      // Envoy's ServerInfo.State: 0 live, 2 (pre-)initializing or draining for our purpose.
      state.value = isServing ? 0 : 2;
      uptime.value = Math.floor((clock.now() - startedMs) / 1_000);
      allocated.value = usage.heapUsed + usage.external;
      heap.value = usage.heapTotal;
      physical.value = usage.rss;
    },
  };
}
