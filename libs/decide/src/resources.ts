import type { Cluster } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { ClusterLoadAssignment } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import type { Listener } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import type { RouteConfiguration } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';

/** What a proxy was sent, or has in its bootstrap. */
export interface Resources {
  readonly listeners: readonly Listener[];
  /** By RDS; those that stand in a listener are read there. */
  readonly routes: readonly RouteConfiguration[];
  readonly clusters: readonly Cluster[];
  /** By EDS; those that stand in a cluster are read there. */
  readonly endpoints: readonly ClusterLoadAssignment[];
}
