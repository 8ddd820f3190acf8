import { durationMs } from '@bufbuild/protobuf/wkt';
import type { DnsCacheConfig } from '@flotilla/wire/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb.js';
import { limit } from '@flotilla/runtime';
import { refuse } from '@flotilla/envoy';
import { addressFamilyOf, checkDnsResolver } from './dns-settings.ts';
import type { DynamicHostSettings } from './dynamic-hosts.ts';

const DEFAULT_REFRESH_MS = 60_000;
const DEFAULT_HOST_TTL_MS = 300_000;
const DEFAULT_MAX_HOSTS = limit({
  name: 'proxy.dns-cache-hosts',
  what: 'names in one DNS cache',
  default: 1_024,
  unit: 'count',
  setting: '`dns_cache_config.max_hosts`',
  past: 'a request for a further name fails (503, DF)',
});
/** A failed look-up is remembered for so long (Envoy's default of `dns_failure_refresh_rate` there). */
const MIN_REFRESH_MS = 5_000;

/**
 * Compiles a `DnsCacheConfig`. Not read: `dns_min_refresh_rate` (the system's resolver tells no TTL) and
 * `dns_query_timeout` (its own time-out holds). Throws `invalid`.
 */
export function compileDnsCache(proto: DnsCacheConfig): Omit<DynamicHostSettings, 'defaultPort'> {
  if (proto.name === '') refuse('name', 'is empty');
  checkDnsResolver(proto.typedDnsResolverConfig);
  const refreshMs = proto.dnsRefreshRate === undefined ? DEFAULT_REFRESH_MS : durationMs(proto.dnsRefreshRate);
  const { baseInterval, maxInterval } = proto.dnsFailureRefreshRate ?? {};
  const failureBaseMs = baseInterval === undefined ? Math.max(MIN_REFRESH_MS, refreshMs) : durationMs(baseInterval);
  const maxHosts = proto.maxHosts ?? DEFAULT_MAX_HOSTS;
  if (maxHosts < 1) refuse('max_hosts', 'is not greater than 0');
  return {
    dns: {
      takesAll: false,
      family: addressFamilyOf(proto.dnsLookupFamily),
      refreshMs,
      failureBaseMs,
      failureMaxMs: maxInterval === undefined ? failureBaseMs * 10 : durationMs(maxInterval),
    },
    hostTtlMs: proto.hostTtl === undefined ? DEFAULT_HOST_TTL_MS : durationMs(proto.hostTtl),
    maxHosts,
  };
}
