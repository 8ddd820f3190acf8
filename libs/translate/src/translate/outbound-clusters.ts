import type { LocalityLoadBalancerSetting } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { keyOf, Memo, PairMemo } from '../identity.ts';
import type { DestinationPolicy } from '../mesh/destination-rules.ts';
import { labelList } from '../mesh/label-list.ts';
import type { ProxyNode } from '../mesh/proxy-node.ts';
import type { Targets } from '../mesh/scope.ts';
import type { EndpointSet, Service, ServicePort } from '../registry/service.ts';
import type { ResourceCache } from './cache.ts';
import { outboundClusterResource } from './cluster/outbound.ts';
import { effectivePolicy } from './cluster/policy.ts';
import { subsetLabels } from './cluster/subset.ts';
import type { EncodedResource } from './encoded.ts';
import { endpointResource, type LocalityInputs } from './endpoint/load-assignment.ts';
import { localityPreference, localitySetting } from './endpoint/locality.ts';
import type { Making } from './making.ts';
import { outboundCluster } from './names.ts';

/** A cluster that leads to a service, before it is put into Envoy's terms. */
interface ClusterPlan {
  readonly name: string;
  readonly service: Service;
  readonly port: ServicePort;
  /** "" for the whole service. */
  readonly subset: string;
  readonly destination: DestinationPolicy | null;
  /** Null where the client's place does not count. */
  readonly locality: LocalityLoadBalancerSetting | null;
}

interface ClusterPlans {
  readonly byName: ReadonlyMap<string, ClusterPlan>;
  readonly byService: ReadonlyMap<string, readonly ClusterPlan[]>;
  /** A client's place counts for one of them, and so do its labels of these names. */
  readonly isLocal: boolean;
  readonly localityLabels: ReadonlySet<string>;
}

const plans = new Memo((targets: Targets): ClusterPlans => {
  const byService = new Map(targets.services.map((service) => [service.id, plansOf(service, targets)]));
  const byName = new Map<string, ClusterPlan>();
  for (const plan of [...byService.values()].flat()) {
    // A port of UDP has no cluster, but for one of TCP with the same number.
    if (plan.port.protocol !== 'UDP' || !byName.has(plan.name)) byName.set(plan.name, plan);
  }
  const settings = new Set([...byName.values()].flatMap(({ locality }) => locality ?? []));
  const localityLabels = new Set([...settings].flatMap(({ failoverPriority }) => failoverPriority));
  return { byName, byService, isLocal: settings.size > 0, localityLabels };
});

function plansOf(service: Service, { destinations, settings }: Targets): ClusterPlan[] {
  const destination = destinations.get(service.id) ?? null;
  const subsets = ['', ...(destination?.subsets.map((subset) => subset.name) ?? [])];
  return service.ports.flatMap((port) =>
    subsets.map((subset) => ({
      name: outboundCluster(service.hostname, port.number, subset),
      service,
      port,
      subset,
      destination,
      locality: localitySetting(effectivePolicy(destination, subset, port.number), settings),
    })),
  );
}

/** What counts of a client for its clusters and their endpoints: proxies for which it is the same share them. */
function clientKey({ isLocal, localityLabels }: ClusterPlans, node: ProxyNode): string {
  const place = isLocal ? [node.locality, node.network, ...labelList(node.labels, localityLabels)] : [];
  return keyOf([String(node.isExplicit), ...place]);
}

/** What a resource takes of the client's place: nothing where it does not count, so that all clients share it. */
function localityInputs(setting: LocalityLoadBalancerSetting | null, node: ProxyNode): LocalityInputs {
  const preference = localityPreference(setting, node);
  return {
    localitySetting: setting,
    locality: preference?.locality ?? '',
    localityLabels: preference?.labels ?? [],
  };
}

type Endpoints = ReadonlyMap<string, EndpointSet>;

interface ClassClusters {
  readonly clusters: ReadonlyMap<string, EncodedResource>;
  /** The endpoints in them: of services whose names the proxy resolves. */
  readonly resolved: readonly { readonly id: string; readonly endpoints: EndpointSet | null }[];
}

const clustersByClass = new Memo((_targets: Targets) => new Map<string, ClassClusters>());

/** The clusters that lead to services; one map for all proxies of a class, for as long as it holds the same. */
export function* outboundClusters(
  targets: Targets,
  endpoints: Endpoints,
  node: ProxyNode,
  cache: ResourceCache,
): Making<ReadonlyMap<string, EncodedResource>> {
  const planned = plans.get(targets);
  const byClass = clustersByClass.get(targets);
  const key = clientKey(planned, node);
  const known = byClass.get(key);
  if (known?.resolved.every(({ id, endpoints: set }) => set === (endpoints.get(id) ?? null)) === true) {
    return known.clusters;
  }
  const resolved = targets.services
    .filter(isResolvedByProxy)
    .map(({ id }) => ({ id, endpoints: endpoints.get(id) ?? null }));
  const clusters = new Map<string, EncodedResource>();
  for (const { name, service, port, subset, destination, locality } of planned.byName.values()) {
    if (port.protocol === 'UDP') continue;
    const carries = isResolvedByProxy(service);
    const resource = cache.get(outboundClusterResource, {
      service,
      port,
      subset,
      destination,
      endpoints: carries ? (endpoints.get(service.id) ?? null) : null,
      ...localityInputs(carries ? locality : null, node),
      isExplicit: node.isExplicit,
      mesh: targets.settings,
    });
    clusters.set(name, resource);
    yield;
  }
  byClass.set(key, { clusters, resolved });
  return clusters;
}

/** Clusters of such a service carry its endpoints, whose names the proxy resolves. */
export function isResolvedByProxy({ resolution }: Service): boolean {
  return resolution === 'dns' || resolution === 'dns-round-robin';
}

interface Assigned {
  readonly endpoints: EndpointSet | null;
  readonly resource: EncodedResource;
}

const assignedByClass = new Memo((_targets: Targets) => new Map<string, Map<string, Assigned>>());

/** Gives the endpoints of clusters by their names, `null` for a cluster that is not there. */
export function endpointsOf(
  targets: Targets,
  endpoints: Endpoints,
  node: ProxyNode,
  cache: ResourceCache,
): (name: string) => EncodedResource | null {
  const planned = plans.get(targets);
  const byClass = assignedByClass.get(targets);
  const key = clientKey(planned, node);
  const assigned = byClass.get(key) ?? new Map<string, Assigned>();
  byClass.set(key, assigned);
  return (name) => {
    const plan = planned.byName.get(name);
    if (plan === undefined) return null;
    const set = endpoints.get(plan.service.id) ?? null;
    const known = assigned.get(name);
    if (known?.endpoints === set) return known.resource;
    const resource = cache.get(endpointResource, {
      name,
      endpoints: set,
      port: plan.port.number,
      subsetLabels: plan.subset === '' ? null : subsetLabels(plan.destination, plan.subset),
      ...localityInputs(plan.locality, node),
    });
    assigned.set(name, { endpoints: set, resource });
    return resource;
  };
}

/** What a proxy that waits for a cluster which does not exist (any more) hears of it: that it has no endpoints. */
export function noEndpoints(name: string, cache: ResourceCache): EncodedResource {
  return cache.get(endpointResource, {
    name,
    endpoints: null,
    port: 0,
    subsetLabels: null,
    localitySetting: null,
    locality: '',
    localityLabels: [],
  });
}

/** Names of the clusters of a service. */
export function clusterNames(targets: Targets, serviceId: string): readonly string[] {
  return (plans.get(targets).byService.get(serviceId) ?? []).map(({ name }) => name);
}

/** Names of the clusters whose service or policy differs, or that are not in both. */
export function changedClusters(previous: Targets, next: Targets): ReadonlySet<string> {
  return previous === next ? NONE : differences.get(previous, next);
}

const NONE: ReadonlySet<string> = new Set();

const differences = new PairMemo((previous: Targets, next: Targets): ReadonlySet<string> => {
  const names = new Set<string>();
  const compare = (some: Targets, others: Targets) => {
    const { byService } = plans.get(others);
    for (const service of some.services) {
      const other = byService.get(service.id)?.[0];
      const isSame =
        other !== undefined &&
        other.service === service &&
        other.destination === (some.destinations.get(service.id) ?? null) &&
        previous.settings === next.settings;
      if (isSame) continue;
      for (const name of clusterNames(some, service.id)) names.add(name);
    }
  };
  compare(previous, next);
  compare(next, previous);
  return names;
});
