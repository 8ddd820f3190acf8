import type {
  LocalityLoadBalancerSetting,
  LocalityLoadBalancerSetting_Distribute as Distribute,
  LocalityLoadBalancerSetting_Failover as Failover,
} from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { type LabelList, labelsOf } from '../../mesh/label-list.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import type { ProxyNode } from '../../mesh/proxy-node.ts';
import type { Endpoint } from '../../registry/service.ts';
import type { EffectivePolicy } from '../cluster/policy.ts';
import { compareText } from '../../mesh/config.ts';

/** Endpoints of one locality and one priority. */
export interface LocalityGroup {
  /** `region/zone/subzone`, "" when unknown. */
  readonly locality: string;
  readonly endpoints: readonly Endpoint[];
  readonly weight: number;
  /** 0 is the first choice; without gaps. */
  readonly priority: number;
}

/** How one client's place decides on a cluster's endpoints. Compared by its parts: the setting is one object. */
export interface LocalityPreference {
  readonly setting: LocalityLoadBalancerSetting;
  /** `region/zone/subzone` of the client. */
  readonly locality: string;
  /** The labels of the client that `failoverPriority` names. */
  readonly labels: LabelList;
}

/** A cluster's own setting, or the mesh's; null where neither would change anything. */
export function localitySetting(policy: EffectivePolicy, mesh: MeshSettings): LocalityLoadBalancerSetting | null {
  const setting = policy.loadBalancer?.localityLbSetting ?? mesh.config.localityLbSetting;
  if (setting.enabled === false) return null;
  // Without ejection nothing tells that endpoints nearby are ill: all count alike then, as in Istio.
  return setting.distribute.length > 0 || policy.outlierDetection !== undefined ? setting : null;
}

export function localityPreference(
  setting: LocalityLoadBalancerSetting | null,
  node: ProxyNode,
): LocalityPreference | null {
  if (setting === null) return null;
  const named = setting.distribute.length > 0 ? [] : setting.failoverPriority;
  const labels = named.flatMap((label) => {
    const value = topologyLabel(label, node) ?? node.labels[label];
    return value === undefined ? [] : [label, value];
  });
  return { setting, locality: node.locality, labels };
}

/** Endpoints by locality and priority, in this order, as the client should try them. */
export function localityGroups(
  endpoints: readonly Endpoint[],
  preference: LocalityPreference | null,
): readonly LocalityGroup[] {
  const groups = byLocality(endpoints);
  if (preference === null) return groups;
  const { setting, locality } = preference;
  if (setting.distribute.length > 0) {
    const rule = setting.distribute.find(({ from }) => matches(locality, from));
    return locality === '' || rule === undefined ? groups : distributed(groups, rule);
  }
  const isByLabels = setting.failoverPriority.length > 0;
  const ranked = isByLabels ? groups.flatMap((group) => byLabels(group, preference)) : groups;
  if (isByLabels && setting.failover.length === 0) return compressed(ranked);
  // Labels come first, then places.
  return compressed(
    ranked.map((group) => ({
      ...group,
      priority: group.priority * PLACE_RANKS + placeRank(locality, group.locality, setting.failover),
    })),
  );
}

function byLocality(endpoints: readonly Endpoint[]): LocalityGroup[] {
  const localities = Map.groupBy(endpoints, (endpoint) => endpoint.locality);
  return [...localities.keys()]
    .sort(compareText)
    .map((locality) => groupOf(locality, localities.get(locality) ?? [], 0));
}

function groupOf(locality: string, endpoints: readonly Endpoint[], priority: number): LocalityGroup {
  return { locality, endpoints, priority, weight: endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0) };
}

/** Each target's share goes to its localities by their own weights; localities of no target get nothing. */
function distributed(groups: readonly LocalityGroup[], { to }: Distribute): LocalityGroup[] {
  const weights = new Map<LocalityGroup, number>();
  // A more exact target takes its localities before a wildcard does.
  const targets = Object.entries(to).sort(([a], [b]) => exactness(b) - exactness(a) || compareText(a, b));
  for (const [target, share] of targets) {
    const members = groups.filter((group) => !weights.has(group) && matches(group.locality, target));
    const total = members.reduce((sum, { weight }) => sum + weight, 0);
    for (const group of members) weights.set(group, Math.ceil((group.weight * share) / total));
  }
  return groups.flatMap((group) => {
    const weight = weights.get(group) ?? 0;
    return weight === 0 ? [] : [{ ...group, weight }];
  });
}

function exactness(place: string): number {
  return place.split('/').filter((part) => part !== '' && part !== '*').length;
}

/** Parts that a rule leaves out, or gives as `*`, take any. */
function matches(locality: string, rule: string): boolean {
  const parts = locality.split('/');
  return rule.split('/').every((part, index) => part === '*' || part === '' || part === (parts[index] ?? ''));
}

const PLACE_RANKS = 5;

/** 0: the same subzone, 1: zone, 2: region, 3: elsewhere, 4: elsewhere, but failover goes to another region. */
function placeRank(client: string, locality: string, failover: readonly Failover[]): number {
  const [region = '', zone = '', subZone = ''] = client.split('/');
  const [itsRegion = '', itsZone = '', itsSubZone = ''] = locality.split('/');
  if (region !== itsRegion) {
    const rule = failover.find(({ from }) => from === region);
    return rule === undefined || rule.to === itsRegion ? 3 : 4;
  }
  if (zone !== itsZone) return 2;
  return subZone === itsSubZone ? 0 : 1;
}

/** Endpoints that share more of the leading labels with the client come first. */
function byLabels(group: LocalityGroup, { setting, labels }: LocalityPreference): LocalityGroup[] {
  const own = labelsOf(labels);
  const wanted = setting.failoverPriority.map((entry) => {
    const [label = '', value] = entry.split('=');
    return { label, value: value ?? own[label] };
  });
  const rankOf = (endpoint: Endpoint): number => {
    const differing = wanted.findIndex(
      ({ label, value }) => value !== (topologyLabel(label, endpoint) ?? endpoint.labels[label]),
    );
    return differing === -1 ? 0 : wanted.length - differing;
  };
  return [...Map.groupBy(group.endpoints, rankOf)].map(([rank, members]) => groupOf(group.locality, members, rank));
}

/** Labels that every workload has by its place. */
function topologyLabel(
  label: string,
  { locality, network }: { locality: string; network: string },
): string | undefined {
  const [region, zone, subZone] = locality.split('/');
  switch (label) {
    case 'topology.kubernetes.io/region':
      return region ?? '';
    case 'topology.kubernetes.io/zone':
      return zone ?? '';
    case 'topology.istio.io/subzone':
      return subZone ?? '';
    case 'topology.istio.io/network':
      return network;
    default:
      return undefined;
  }
}

/** Priorities without gaps, as Envoy wants them, and in their order. */
function compressed(groups: readonly LocalityGroup[]): LocalityGroup[] {
  const ranks = [...new Set(groups.map(({ priority }) => priority))].sort((a, b) => a - b);
  return groups
    .map((group) => ({ ...group, priority: ranks.indexOf(group.priority) }))
    .sort((a, b) => a.priority - b.priority || compareText(a.locality, b.locality));
}
