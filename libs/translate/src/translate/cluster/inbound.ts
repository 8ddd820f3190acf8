import { Cluster_DiscoveryType, Cluster_LbPolicy } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { InboundPort } from '../../mesh/inbound.ts';
import type { AddressFamilies } from '../../mesh/proxy-node.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import { clusterDraft } from '../draft.ts';
import { inboundCluster } from '../names.ts';
import { inboundSource } from './inbound-source.ts';
import { connectionPool, httpOptions } from './connection-pool.ts';

export type InboundClusterInputs = {
  readonly port: InboundPort;
  readonly families: AddressFamilies;
  readonly mesh: MeshSettings;
};

/** From the proxy to its own application: `inbound|9080||`. */
export function inboundClusterResource({ port, families, mesh }: InboundClusterInputs) {
  const name = inboundCluster(port.port);
  return clusterDraft(name, {
    name,
    ...connectionPool(undefined, mesh),
    ...httpOptions(port.protocol, undefined),
    ...(port.app === null
      ? {
          clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
          lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
          upstreamBindConfig: inboundSource(families),
        }
      : {
          clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
          loadAssignment: {
            clusterName: name,
            endpoints: [
              {
                lbEndpoints: [
                  {
                    hostIdentifier: {
                      case: 'endpoint',
                      value: {
                        address: {
                          address: {
                            case: 'socketAddress',
                            value: {
                              address: port.app.address,
                              portSpecifier: { case: 'portValue', value: port.app.port },
                            },
                          },
                        },
                      },
                    },
                  },
                ],
              },
            ],
          },
        }),
    metadata: {
      filterMetadata: {
        istio: {
          services: port.services.map((service) => ({
            host: service.hostname,
            name: service.name,
            namespace: service.namespace,
          })),
        },
      },
    },
  });
}
