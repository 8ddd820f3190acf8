import {
  type Cluster,
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
  type Cluster_LbSubsetConfig_LbSubsetSelector as Selector,
  Cluster_LbSubsetConfig_LbSubsetSelector_LbSubsetSelectorFallbackPolicy as SelectorFallback,
} from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { keysOf, matchOf, type MetadataMatch } from '@flotilla/route';
import { refuse } from '@flotilla/envoy';

/** Where a request goes that no subset takes. */
export type SubsetFallback = 'none' | 'any' | 'default';

/** How a cluster's hosts are parted (`lb_subset_config`). */
export interface SubsetSettings {
  /** By the keys of a selector, as in `MetadataMatch`. */
  readonly fallbackOf: ReadonlyMap<string, SubsetFallback>;
  readonly fallback: SubsetFallback;
  readonly defaultSubset: MetadataMatch;
}

/** The subset that a request goes to. */
export interface SubsetChoice {
  /** Null: all hosts; `none`: no host at all. */
  readonly subset: MetadataMatch | null | 'none';
  /** By which rule it is another one than the request asked for; null: it is the one. */
  readonly fallback: SubsetFallback | null;
}

/** Chooses the subset for a request; `wanted` null: it asks for none. */
export function subsetOf(
  settings: SubsetSettings,
  wanted: MetadataMatch | null,
  hasHosts: (subset: MetadataMatch) => boolean,
): SubsetChoice {
  const fallback = wanted === null ? undefined : settings.fallbackOf.get(wanted.keys);
  if (wanted !== null && fallback !== undefined && hasHosts(wanted)) return { subset: wanted, fallback: null };
  const rule = fallback ?? settings.fallback;
  return { subset: subsetByFallback(rule, settings, hasHosts), fallback: rule };
}

function subsetByFallback(
  fallback: SubsetFallback,
  { defaultSubset }: SubsetSettings,
  hasHosts: (subset: MetadataMatch) => boolean,
): SubsetChoice['subset'] {
  switch (fallback) {
    case 'none':
      return 'none';
    case 'any':
      return null;
    case 'default':
      return hasHosts(defaultSubset) ? defaultSubset : 'none';
  }
}

/** Compiles `lb_subset_config`; null where it parts nothing. Throws `invalid`. */
export function compileSubsets({ lbSubsetConfig: proto }: Cluster): SubsetSettings | null {
  if (proto === undefined || proto.subsetSelectors.length === 0) return null;
  const path = 'lb_subset_config';
  const fallback = FALLBACKS[proto.fallbackPolicy];
  const fallbackOf = new Map<string, SubsetFallback>();
  proto.subsetSelectors.forEach((selector, index) => {
    const field = `${path}.subset_selectors[${index}]`;
    if (selector.keys.length === 0) refuse(`${field}.keys`, 'is empty');
    fallbackOf.set(keysOf(selector.keys), selectorFallback(selector, fallback, field));
  });
  return { fallbackOf, fallback, defaultSubset: matchOf(proto.defaultSubset ?? {}) };
}

const FALLBACKS: Readonly<Record<Fallback, SubsetFallback>> = {
  [Fallback.NO_FALLBACK]: 'none',
  [Fallback.ANY_ENDPOINT]: 'any',
  [Fallback.DEFAULT_SUBSET]: 'default',
};

function selectorFallback({ fallbackPolicy }: Selector, ofAll: SubsetFallback, path: string): SubsetFallback {
  switch (fallbackPolicy) {
    case SelectorFallback.NOT_DEFINED:
      return ofAll;
    case SelectorFallback.NO_FALLBACK:
      return 'none';
    case SelectorFallback.ANY_ENDPOINT:
      return 'any';
    case SelectorFallback.DEFAULT_SUBSET:
      return 'default';
    case SelectorFallback.KEYS_SUBSET:
      return refuse(`${path}.fallback_policy`, 'KEYS_SUBSET is not supported');
  }
}
