import { chancesOf, compileBalancing, overprovisioningOf, readAssignment } from '@flotilla/cluster';
import type { MetadataMatch } from '@flotilla/route';
import type { UpstreamDecision } from './decision.ts';
import type { Resources } from './resources.ts';

/** Where a cluster's requests go. Throws `invalid` for one that a proxy would refuse. */
export function decideUpstream(
  name: string,
  metadataMatch: MetadataMatch | null,
  { clusters, endpoints }: Resources,
): UpstreamDecision {
  const cluster = clusters.find((each) => each.name === name);
  if (cluster === undefined) return { cluster: name, exists: false, endpoints: [] };
  const known = cluster.edsClusterConfig?.serviceName || name;
  const assignment = cluster.loadAssignment ?? endpoints.find(({ clusterName }) => clusterName === known);
  if (assignment === undefined) return { cluster: name, exists: true, endpoints: [] };
  const balancing = compileBalancing(cluster);
  const groups = readAssignment(assignment, () => 0, true).map(({ endpoints: hosts, ...group }) => ({
    ...group,
    hosts,
  }));
  const overprovisioning = overprovisioningOf(assignment);
  return {
    cluster: name,
    exists: true,
    endpoints: chancesOf(groups, { ...balancing, overprovisioning, metadataMatch }),
  };
}
