import type { Cluster } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { ClusterLoadAssignment } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';

/** Where clusters go when they are ready (the cluster manager). */
export interface ClusterTarget {
  /** Throws `invalid` for a cluster that cannot be used, and changes nothing. */
  check(cluster: Cluster): void;
  checkEndpoints(assignment: ClusterLoadAssignment): void;
  apply(cluster: Cluster): void;
  applyEndpoints(assignment: ClusterLoadAssignment): void;
  remove(name: string): void;
  /** Hosts are known; DNS clusters learn them after `apply`. */
  isWarm(name: string): boolean;
  /** Calls back when a cluster becomes warm. */
  onWarm(listener: (name: string) => void): () => void;
}
