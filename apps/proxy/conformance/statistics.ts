import type { Scenario } from './scenario.ts';

/** Of every connection manager. */
const OF_HTTP: readonly string[] = [
  'downstream_rq_total',
  'downstream_rq_completed',
  'downstream_rq_2xx',
  'downstream_rq_3xx',
  'downstream_rq_4xx',
  'downstream_rq_5xx',
  'downstream_rq_rx_reset',
  'downstream_rq_timeout',
  'downstream_rq_idle_timeout',
  'downstream_cx_total',
  'downstream_cx_protocol_error',
  'no_route',
  'no_cluster',
  'rq_total',
  'rq_direct_response',
];

/** Of every cluster. */
const OF_CLUSTERS: readonly string[] = [
  'upstream_rq_total',
  'upstream_rq_completed',
  'upstream_rq_2xx',
  'upstream_rq_3xx',
  'upstream_rq_4xx',
  'upstream_rq_5xx',
  'upstream_rq_200',
  'upstream_rq_502',
  'upstream_rq_503',
  'upstream_rq_504',
  'retry.upstream_rq_completed',
  'retry.upstream_rq_5xx',
  'upstream_rq_retry',
  'upstream_rq_retry_limit_exceeded',
  'upstream_rq_retry_overflow',
  'upstream_rq_retry_success',
  'upstream_rq_timeout',
  'upstream_rq_per_try_timeout',
  'upstream_rq_pending_failure_eject',
  'upstream_rq_pending_overflow',
  'upstream_rq_rx_reset',
  'upstream_rq_tx_reset',
  'upstream_cx_protocol_error',
  'upstream_cx_connect_fail',
  'upstream_cx_none_healthy',
];

/** Statistics that are compared for a scenario, by the name that people know them under and by their real name. */
export function statisticsOf(scenario: Scenario, prefix: string): ReadonlyMap<string, string> {
  const names = [
    ...OF_HTTP.map((name) => `http.it.${name}`),
    ...[...Object.keys(scenario.upstreams), ...Object.keys(scenario.clusters)].flatMap((cluster) =>
      OF_CLUSTERS.map((name) => `cluster.${cluster}.${name}`),
    ),
    ...scenario.stats,
  ];
  return new Map(names.map((name) => [name, realName(name, prefix)]));
}

/** `cluster.web.x` and `http.it.x` as the proxies call them. */
export function realName(name: string, prefix: string): string {
  return name.replace(/^cluster\./, `cluster.${prefix}-`).replace(/\bit\b/, prefix);
}
