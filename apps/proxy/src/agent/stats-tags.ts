/**
 * Tags of statistic names, under the names that dashboards for Istio use (`cluster_name`, not `envoy_cluster_name`).
 * Names of services hold dots, which Envoy's default expression for clusters misreads.
 */
export const STATS_TAGS = (
  [
    ['cluster_name', '^cluster\\.(([^.]+(?:\\..+?\\.svc\\.cluster\\.local)?)\\.)'],
    ['tcp_prefix', '^tcp\\.((.*?)\\.)\\w+?$'],
    ['http_conn_manager_prefix', '^http\\.(((?:outbound|inbound)_(?:\\d+\\.){3}\\d+_\\d{1,5}|[^.]+)\\.)'],
    ['listener_address', '^listener\\.(((?:\\d+\\.){3}\\d+_\\d+|[^.]+)\\.)'],
    ['response_code', '_rq(_(\\d{3}))$'],
    ['response_code_class', '_rq(_(\\dxx))$'],
  ] as const
).map(([tagName, regex]) => ({ tagName, tagValue: { case: 'regex' as const, value: regex } }));
