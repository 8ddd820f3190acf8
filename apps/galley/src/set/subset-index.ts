import { isWildcard } from '@flotilla/model';
import type { MeshResourceOf, ResourceKey } from '@flotilla/model';
import { wildcardsCovering } from './host-index.ts';

type DestinationRuleResource = MeshResourceOf<'DestinationRule'>;

/** The DestinationRules of one host, as written: a name or a wildcard. */
interface Group {
  readonly rules: Map<string, DestinationRuleResource>;
  /** Subset names, and how often they are defined. */
  readonly subsets: Map<string, number>;
  /** Keys of `rules`; made when they are asked for. */
  keys: readonly ResourceKey[] | null;
}

/** Who defines subsets for a host: the groups of rules whose hosts cover it. */
export interface SubsetsOfHost {
  has(subset: string): boolean;
  /** The rule to look at first; `undefined` when none speaks for the host. */
  readonly first: DestinationRuleResource | undefined;
  /** Keys of the rules, one list for each group; the same list for every host of a group. */
  readonly rules: readonly (readonly ResourceKey[])[];
}

/** Which subsets DestinationRules define for which hosts. */
export class SubsetIndex {
  readonly #groups = new Map<string, Group>();
  /** Of the groups, those of wildcards. */
  #wildcards = 0;

  add(key: string, hosts: readonly string[], rule: DestinationRuleResource): void {
    for (const host of hosts) this.#add(key, host, rule);
  }

  remove(key: string, hosts: readonly string[]): void {
    for (const host of hosts) this.#remove(key, host);
  }

  #add(key: string, host: string, rule: DestinationRuleResource): void {
    let group = this.#groups.get(host);
    if (group === undefined) {
      group = { rules: new Map(), subsets: new Map(), keys: null };
      this.#groups.set(host, group);
      if (isWildcard(host)) this.#wildcards += 1;
    }
    group.rules.set(key, rule);
    for (const { name } of rule.spec.subsets) group.subsets.set(name, (group.subsets.get(name) ?? 0) + 1);
    group.keys = null;
  }

  #remove(key: string, host: string): void {
    const group = this.#groups.get(host);
    const rule = group?.rules.get(key);
    if (group === undefined || rule === undefined) return;
    group.rules.delete(key);
    for (const { name } of rule.spec.subsets) {
      const count = group.subsets.get(name) ?? 0;
      if (count > 1) group.subsets.set(name, count - 1);
      else group.subsets.delete(name);
    }
    group.keys = null;
    if (group.rules.size > 0) return;
    this.#groups.delete(host);
    if (isWildcard(host)) this.#wildcards -= 1;
  }

  of(host: string): SubsetsOfHost {
    const patterns = this.#wildcards === 0 ? [host] : [host, ...wildcardsCovering(host)];
    const groups = new Set(patterns.flatMap((pattern) => this.#groups.get(pattern) ?? []));
    const [nearest] = groups;
    return {
      has: (subset) => [...groups].some(({ subsets }) => subsets.has(subset)),
      first: nearest?.rules.values().next().value,
      rules: [...groups].map((group) => (group.keys ??= [...group.rules.values()].map(({ key }) => key))),
    };
  }
}
