import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { Listener } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { fetchTimeoutMs, requireAds } from './config-source.ts';

/**
 * How long a listener waits for its routes: the longest `initial_fetch_timeout` of its connection managers, 0 (without
 * end) being the longest of all. Throws `invalid` for routes that come from elsewhere than the aggregated stream.
 */
export function routeFetchTimeoutMs(listener: Listener): number {
  let longestMs = -1;
  const chains = [...listener.filterChains, ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : [])];
  for (const { configType } of chains.flatMap((chain) => chain.filters)) {
    if (configType.case !== 'typedConfig') continue;
    const routes = anyUnpack(configType.value, HttpConnectionManagerSchema)?.routeSpecifier;
    if (routes?.case !== 'rds') continue;
    requireAds(routes.value.configSource, 'rds.config_source');
    const timeoutMs = fetchTimeoutMs(routes.value.configSource);
    if (timeoutMs === 0) return 0;
    longestMs = Math.max(longestMs, timeoutMs);
  }
  return longestMs === -1 ? fetchTimeoutMs(undefined) : longestMs;
}
