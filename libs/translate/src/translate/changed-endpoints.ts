import type { ProxyView } from '../mesh/view.ts';
import { changedServices } from '../registry/registry.ts';
import { changedClusters, clusterNames, isResolvedByProxy } from './outbound-clusters.ts';
import { servicesById } from './route/services-by-host.ts';

/** Names of the clusters whose endpoints may differ between two views of one proxy; `all`: any. */
export function changedEndpoints(previous: ProxyView, next: ProxyView): 'all' | ReadonlySet<string> {
  const [before, after] = [previous.scope.targets, next.scope.targets];
  if (before.settings !== after.settings) return 'all';
  const clusters = changedClusters(before, after);
  const services = changedServices(previous.endpoints, next.endpoints);
  if (services.length === 0) return clusters;
  const names = new Set(clusters);
  for (const id of services) for (const name of clusterNames(after, id)) names.add(name);
  return names;
}

/** Whether clusters that lead to services may differ between two views of one proxy. */
export function isClusterChanged(previous: ProxyView, next: ProxyView): boolean {
  const { targets } = next.scope;
  if (previous.scope.targets !== targets) return true;
  const byId = servicesById(targets.services);
  return changedServices(previous.endpoints, next.endpoints).some((id) => {
    const service = byId.get(id);
    return service !== undefined && isResolvedByProxy(service);
  });
}
