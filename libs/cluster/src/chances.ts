import type { EndpointSpec } from './endpoint-spec.ts';
import type { BalancingSettings } from './load-balancing.ts';
import { holdsAll } from './metadata.ts';
import { availabilityOf, type LocalityHosts, prioritySharesOf } from './priority-shares.ts';
import type { MetadataMatch } from '@flotilla/route';
import { subsetOf } from './subsets.ts';

/** An endpoint that may be chosen. */
export interface EndpointChance {
  readonly endpoint: EndpointSpec;
  readonly priority: number;
  readonly locality: string;
  /** In (0,1]; of a request whose hash is not known, where hosts are chosen by one. */
  readonly chance: number;
}

/** What a choice goes by. */
export interface ChoiceSettings extends Pick<
  BalancingSettings,
  'failsOnPanic' | 'overprovisioning' | 'panicThreshold' | 'subsets' | 'usesLocalityWeights'
> {
  /** Of the request; null: it asks for none. */
  readonly metadataMatch: MetadataMatch | null;
}

/**
 * How likely each endpoint is to get a request while all are equally busy: by priorities, localities and weights. Empty
 * where no endpoint can be chosen.
 */
export function chancesOf(groups: readonly LocalityHosts<EndpointSpec>[], settings: ChoiceSettings): EndpointChance[] {
  const inSubset = subsetPredicate(groups, settings);
  if (inSubset === null) return [];
  const shares = prioritySharesOf(groups, settings, inSubset, null) ?? [];
  return shares.flatMap(({ load, priority, isPanic, localities }) => {
    if (isPanic && settings.failsOnPanic) return [];
    const weighed = settings.usesLocalityWeights
      ? localities.map((each) => ({
          each,
          weight: each.weight * availabilityOf(each, groups, settings.overprovisioning),
        }))
      : localities.map((each) => ({ each, weight: sum(each.hosts.map((host) => host.weight)) }));
    const total = sum(weighed.map(({ weight }) => weight));
    return weighed.flatMap(({ each, weight }) => {
      const hostTotal = sum(each.hosts.map((host) => host.weight));
      if (weight === 0) return [];
      return each.hosts.map((endpoint) => ({
        endpoint,
        priority,
        locality: each.locality,
        chance: (load / 100) * (weight / total) * (endpoint.weight / hostTotal),
      }));
    });
  });
}

/** Null: no host may be chosen. */
function subsetPredicate(
  groups: readonly LocalityHosts<EndpointSpec>[],
  { subsets, metadataMatch }: ChoiceSettings,
): ((host: EndpointSpec) => boolean) | null {
  if (subsets === null) return () => true;
  const isIn = (match: MetadataMatch, host: EndpointSpec): boolean =>
    holdsAll(host.metadata?.['envoy.lb'] ?? null, match.wanted);
  const hasHosts = (match: MetadataMatch): boolean =>
    groups.some(({ hosts }) => hosts.some((host) => isIn(match, host)));
  const { subset } = subsetOf(subsets, metadataMatch, hasHosts);
  if (subset === 'none') return null;
  return (host) => subset === null || isIn(subset, host);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
