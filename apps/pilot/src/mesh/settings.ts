import type { MeshConfig } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';

/** What holds for the whole mesh. One object for the life of a pilot. */
export interface MeshSettings {
  readonly config: MeshConfig;
  readonly trustDomain: string;
  /** Suffix of Kubernetes service names, `cluster.local`. */
  readonly domainSuffix: string;
  /** Resources of this namespace count for every namespace. */
  readonly rootNamespace: string;
}
