import type { FilterSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import { TcpProxySchema } from '@flotilla/wire/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import type { MeshSettings } from '../../mesh/settings.ts';
import { accessLogs } from '../access-log/access-log.ts';
import { type Init, typed } from '../protobuf.ts';

export type NetworkFilter = Init<typeof FilterSchema>;

export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
}

/** Passes bytes on, to one cluster or, by connection and weight, to several. */
export function tcpProxy(clusters: readonly WeightedCluster[], mesh: MeshSettings, statPrefix?: string): NetworkFilter {
  const [only] = clusters;
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
        accessLog: accessLogs(mesh),
      }),
    },
  };
}
