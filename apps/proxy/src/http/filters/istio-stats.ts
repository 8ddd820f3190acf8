import type { NetworkFilterScope } from '../../ports/network-filter-scope.ts';
import type { FilterFactory } from '../../ports/http-filter.ts';
import { refuse } from '@flotilla/envoy';
import type { FilterConfig } from './filter-config.ts';

/**
 * Istio's statistics: hands every finished exchange to the recorder of `observe/istio-metrics`, as destination on
 * inbound listeners and as source elsewhere. Settings that change metrics or labels are refused.
 */
export function compileStatsFilter(name: string, { json }: FilterConfig, scope: NetworkFilterScope): FilterFactory {
  const [setting] = Object.keys(json ?? {});
  if (setting !== undefined) refuse(name, `${setting} is not supported`);
  const metrics = scope.hooks.istioMetrics ?? null;
  return {
    name,
    bind: () => null,
    record: metrics === null ? null : metrics.recorder(scope.isInbound ? 'destination' : 'source'),
  };
}
