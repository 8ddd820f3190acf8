import { Cluster_DiscoveryType, Cluster_LbPolicy } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { AddressFamilies } from '../../mesh/proxy-node.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import { clusterDraft } from '../draft.ts';
import { BLACK_HOLE_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER, PASSTHROUGH_CLUSTER } from '../names.ts';
import { inboundSource } from './inbound-source.ts';
import { connectionPool, httpOptions } from './connection-pool.ts';

/** Clusters that stand for a decision, not for a service. */
export type StandingClusterInputs = { readonly mesh: MeshSettings };

/** Has no endpoints: what is sent there fails. */
export function blackHoleResource({ mesh }: StandingClusterInputs) {
  return clusterDraft(BLACK_HOLE_CLUSTER, {
    name: BLACK_HOLE_CLUSTER,
    ...connectionPool(undefined, mesh),
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
  });
}

/** Goes where the client wanted to go. */
export function passthroughResource({ mesh }: StandingClusterInputs) {
  return clusterDraft(PASSTHROUGH_CLUSTER, {
    name: PASSTHROUGH_CLUSTER,
    ...connectionPool(undefined, mesh),
    ...httpOptions('auto', undefined),
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
  });
}

export type InboundPassthroughInputs = StandingClusterInputs & { readonly families: AddressFamilies };

/** Inbound traffic to a port that nobody declared: on to the application's same port. */
export function inboundPassthroughResource({ families, mesh }: InboundPassthroughInputs) {
  return clusterDraft(INBOUND_PASSTHROUGH_CLUSTER, {
    name: INBOUND_PASSTHROUGH_CLUSTER,
    ...connectionPool(undefined, mesh),
    ...httpOptions('auto', undefined),
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    upstreamBindConfig: inboundSource(families),
  });
}
