import type { Counter, Gauge, Histogram, StatsRegistry } from '../base/stats.ts';

const COUNTERS = [
  'upstream_cx_total',
  'upstream_cx_http1_total',
  'upstream_cx_http2_total',
  'upstream_cx_connect_fail',
  'upstream_cx_connect_attempts_exceeded',
  'upstream_cx_connect_timeout',
  'upstream_cx_overflow',
  'upstream_cx_idle_timeout',
  'upstream_cx_max_duration_reached',
  'upstream_cx_max_requests',
  'upstream_cx_none_healthy',
  'upstream_cx_protocol_error',
  'upstream_cx_destroy',
  'upstream_cx_destroy_with_active_rq',
  'upstream_cx_rx_bytes_total',
  'upstream_cx_tx_bytes_total',
  'upstream_rq_total',
  'upstream_rq_pending_total',
  'upstream_rq_pending_overflow',
  'upstream_rq_pending_failure_eject',
  'upstream_rq_cancelled',
  // Resets of streams that share a connection; HTTP/1.1 has none (Envoy leaves them at 0, too).
  'upstream_rq_rx_reset',
  'upstream_rq_tx_reset',
  'upstream_rq_retry',
  'upstream_rq_retry_backoff_exponential',
  'upstream_rq_retry_backoff_ratelimited',
  'upstream_rq_retry_limit_exceeded',
  'upstream_rq_retry_overflow',
  'upstream_rq_retry_success',
  'upstream_rq_timeout',
  'upstream_rq_per_try_timeout',
  'upstream_rq_per_try_idle_timeout',
  'upstream_rq_max_duration_reached',
  'update_attempt',
  'update_success',
  'update_failure',
  'update_empty',
  'membership_change',
  'lb_healthy_panic',
  'lb_subsets_selected',
  'lb_subsets_fallback',
] as const;

const GAUGES = [
  'upstream_cx_active',
  'upstream_rq_active',
  'upstream_rq_pending_active',
  'membership_total',
  'membership_healthy',
  'membership_degraded',
] as const;

type CounterName = (typeof COUNTERS)[number];
type GaugeName = (typeof GAUGES)[number];

/** Holders of one cluster's statistics, resolved once; names are Envoy's, under `cluster.<name>.`. */
export interface ClusterStats extends Readonly<Record<CounterName, Counter>>, Readonly<Record<GaugeName, Gauge>> {
  readonly upstream_cx_connect_ms: Histogram;
  readonly upstream_rq_time: Histogram;
  /** Counts a response: `upstream_rq_completed`, `upstream_rq_2xx`, `upstream_rq_200`. */
  countStatus(status: number): void;
  /** The same under `retry.`, for a response that was thrown away because the request is tried again. */
  countRetriedStatus(status: number): void;
}

/** Resolves the holders. Asking again for the same name continues the same counts. */
export function openClusterStats(registry: StatsRegistry, name: string): ClusterStats {
  const prefix = clusterStatPrefix(name);
  const counters = COUNTERS.map((counter) => [counter, registry.counter(prefix + counter)] as const);
  const gauges = GAUGES.map((gauge) => [gauge, registry.gauge(prefix + gauge)] as const);
  // Object.fromEntries widens the keys; both lists above are the whole of them.
  const holders = {
    ...(Object.fromEntries(counters) as Record<CounterName, Counter>),
    ...(Object.fromEntries(gauges) as Record<GaugeName, Gauge>),
  };
  return {
    ...holders,
    upstream_cx_connect_ms: registry.histogram(`${prefix}upstream_cx_connect_ms`),
    upstream_rq_time: registry.histogram(`${prefix}upstream_rq_time`),
    countStatus: statusCounter(registry, prefix),
    countRetriedStatus: statusCounter(registry, `${prefix}retry.`),
  };
}

/** Counters of statuses are made when a status is first seen. */
function statusCounter(registry: StatsRegistry, prefix: string): (status: number) => void {
  const byStatus: (readonly Counter[])[] = [];
  return (status) => {
    const counters = (byStatus[status] ??= [
      registry.counter(`${prefix}upstream_rq_completed`),
      registry.counter(`${prefix}upstream_rq_${Math.floor(status / 100)}xx`),
      registry.counter(`${prefix}upstream_rq_${status}`),
    ]);
    for (const counter of counters) counter.value += 1;
  };
}

/** What the names of a cluster's statistics begin with. */
export function clusterStatPrefix(name: string): string {
  return `cluster.${name}.`;
}
