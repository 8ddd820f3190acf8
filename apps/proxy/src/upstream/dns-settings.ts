import { durationMs } from '@bufbuild/protobuf/wkt';
import {
  type Cluster,
  Cluster_DnsLookupFamily as LookupFamily,
} from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { CaresDnsResolverConfigSchema } from '@flotilla/wire/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver_pb.js';
import { GetAddrInfoDnsResolverConfigSchema } from '@flotilla/wire/envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver_pb.js';
import { refuse, unpackValid } from '@flotilla/envoy';

/** Which addresses of a name are used. */
export type AddressFamily = 'v4' | 'v6' | 'prefer-v4' | 'prefer-v6' | 'all';

export interface DnsSettings {
  /** True: every address is a host (STRICT_DNS). False: the first address only (LOGICAL_DNS). */
  readonly takesAll: boolean;
  readonly family: AddressFamily;
  readonly refreshMs: number;
  /** After a failed look-up, growing from the first to the second. */
  readonly failureBaseMs: number;
  readonly failureMaxMs: number;
}

/** Envoy's default of `dns_refresh_rate`. */
const DEFAULT_REFRESH_MS = 5_000;

const FAMILIES: Readonly<Record<LookupFamily, AddressFamily>> = {
  [LookupFamily.AUTO]: 'prefer-v6',
  [LookupFamily.V4_ONLY]: 'v4',
  [LookupFamily.V6_ONLY]: 'v6',
  [LookupFamily.V4_PREFERRED]: 'prefer-v4',
  [LookupFamily.ALL]: 'all',
};

/**
 * Compiles a cluster's DNS fields. `respect_dns_ttl` has nothing to respect: the system's resolver tells no TTL, so
 * the refresh rate holds. Throws `invalid` for resolvers of its own.
 */
export function compileDnsSettings(cluster: Cluster, takesAll: boolean): DnsSettings {
  checkDnsResolver(cluster.typedDnsResolverConfig);
  const refreshMs = cluster.dnsRefreshRate === undefined ? DEFAULT_REFRESH_MS : durationMs(cluster.dnsRefreshRate);
  const { baseInterval, maxInterval } = cluster.dnsFailureRefreshRate ?? {};
  const failureBaseMs = baseInterval === undefined ? refreshMs : durationMs(baseInterval);
  return {
    takesAll,
    family: FAMILIES[cluster.dnsLookupFamily],
    refreshMs,
    failureBaseMs,
    failureMaxMs: maxInterval === undefined ? failureBaseMs * 10 : durationMs(maxInterval),
  };
}

export function addressFamilyOf(family: LookupFamily): AddressFamily {
  return FAMILIES[family];
}

/** Throws `invalid` for a resolver of its own: names are looked up by the system's. */
export function checkDnsResolver(config: Cluster['typedDnsResolverConfig']): void {
  const any = config?.typedConfig;
  if (any === undefined) return;
  const known = unpackValid(any, GetAddrInfoDnsResolverConfigSchema) ?? unpackValid(any, CaresDnsResolverConfigSchema);
  if (known === undefined) refuse('typed_dns_resolver_config', `${any.typeUrl} is not supported`);
}
