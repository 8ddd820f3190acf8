import { create } from '@bufbuild/protobuf';
import { DEFAULT_DOMAIN_SUFFIX } from '@flotilla/model';
import { MeshConfigSchema } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { DEFAULT_CLUSTER_ID, DEFAULT_ROOT_NAMESPACE, meshDefaults, type MeshSettings } from '../mesh/settings.ts';

/** A mesh with Istio's defaults: what a resource says does not become right or wrong by the settings of a mesh. */
export const CHECK_SETTINGS: MeshSettings = {
  config: meshDefaults(create(MeshConfigSchema)),
  trustDomain: 'cluster.local',
  domainSuffix: DEFAULT_DOMAIN_SUFFIX,
  rootNamespace: DEFAULT_ROOT_NAMESPACE,
  clusterId: DEFAULT_CLUSTER_ID,
};
