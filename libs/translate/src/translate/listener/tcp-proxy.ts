import type { FilterSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import { TcpProxySchema } from '@flotilla/wire/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import type { MeshSettings } from '../../mesh/settings.ts';
import { accessLogs } from '../access-log/access-log.ts';
import { type Init, typed } from '../protobuf.ts';
import { type HashedService, hashesSource } from '../route/hash-policy.ts';

export type NetworkFilter = Init<typeof FilterSchema>;

export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
}

/** Passes bytes on, to one cluster or, by connection and weight, to several. */
export function tcpProxy(
  clusters: readonly WeightedCluster[],
  mesh: MeshSettings,
  { statPrefix, hashed = [] }: { readonly statPrefix?: string; readonly hashed?: readonly HashedService[] } = {},
): NetworkFilter {
  const [only] = clusters;
  const bySource = clusters.some(({ name }) => hashesSource(hashed, name));
  return {
    name: 'envoy.filters.network.tcp_proxy',
    configType: {
      case: 'typedConfig',
      value: typed(TcpProxySchema, {
        statPrefix: statPrefix ?? only?.name ?? 'none',
        clusterSpecifier:
          clusters.length === 1 && only !== undefined
            ? { case: 'cluster', value: only.name }
            : { case: 'weightedClusters', value: { clusters: clusters.map(({ name, weight }) => ({ name, weight })) } },
        ...(bySource ? { hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } }] } : {}),
        accessLog: accessLogs(mesh),
      }),
    },
  };
}
