import type { Subset, TrafficPolicy } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import {
  compareSpecificity,
  hostCovers,
  isWildcard,
  isVisibleFrom,
  labelsMatch,
  parseExportTo,
  resolveHost,
  selectorOf,
} from '@flotilla/model';
import { Memo } from '../identity.ts';
import { byAge, type Config } from './config.ts';
import type { MeshSettings } from './settings.ts';

/** What the DestinationRules that hold for one host and one client say together. */
export interface DestinationPolicy {
  /** The rules, most important first. */
  readonly rules: readonly Config<'DestinationRule'>[];
  readonly trafficPolicy: TrafficPolicy | null;
  readonly subsets: readonly Subset[];
}

export interface RuleClient {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The rules for one service, as one client sees them. Istio's look-up: the client's namespace, then the service's, then
 * the root namespace; the first that has a rule for the host decides. Within a namespace the most specific host wins, a
 * rule that selects the client's workload beats one that selects none, and rules for the same host add their subsets,
 * the oldest giving the traffic policy.
 */
export function destinationPolicyFor(
  rules: readonly Config<'DestinationRule'>[],
  service: { readonly hostname: string; readonly namespace: string },
  client: RuleClient,
  settings: MeshSettings,
): DestinationPolicy | null {
  const index = indexOf(rules, settings);
  for (const namespace of new Set([client.namespace, service.namespace, settings.rootNamespace])) {
    const known = index.get(namespace);
    if (known === undefined) continue;
    const candidates = [...(known.byHost.get(service.hostname) ?? []), ...known.wildcards].filter((rule) => {
      const selector = selectorOf(rule);
      // A rule with a selector is for clients of its own namespace only.
      if (selector !== null && (namespace !== client.namespace || !labelsMatch(selector, client.labels))) return false;
      const visibility = parseExportTo(
        rule.spec.exportTo,
        rule.key.namespace,
        settings.config.defaultDestinationRuleExportTo,
      );
      return hostCovers(hostOf(rule, settings), service.hostname) && isVisibleFrom(visibility, client.namespace);
    });
    const policy = mergeRules(candidates, settings);
    if (policy !== null) return policy;
  }
  return null;
}

/** The rules that hold for some workloads of a namespace, and among them for these. */
export function selectingRules(
  rules: readonly Config<'DestinationRule'>[],
  client: RuleClient,
): readonly Config<'DestinationRule'>[] {
  return (withSelector.get(rules).get(client.namespace) ?? []).filter((rule) =>
    labelsMatch(selectorOf(rule) ?? {}, client.labels),
  );
}

const withSelector = new Memo((rules: readonly Config<'DestinationRule'>[]) =>
  Map.groupBy(
    rules.filter((rule) => selectorOf(rule) !== null),
    ({ key }) => key.namespace,
  ),
);

function mergeRules(
  candidates: readonly Config<'DestinationRule'>[],
  settings: MeshSettings,
): DestinationPolicy | null {
  if (candidates.length === 0) return null;
  const bestHost = candidates.map((rule) => hostOf(rule, settings)).sort(compareSpecificity)[0];
  const ranked = candidates
    .filter((rule) => hostOf(rule, settings) === bestHost)
    .sort((a, b) => Number(selectorOf(b) !== null) - Number(selectorOf(a) !== null) || byAge(a, b));
  return policyOf(ranked);
}

// Policies by their first rule, so that all proxies share one object for the same rules.
const shared = new WeakMap<Config<'DestinationRule'>, DestinationPolicy[]>();

function policyOf(rules: readonly Config<'DestinationRule'>[]): DestinationPolicy | null {
  const [first] = rules;
  if (first === undefined) return null;
  const policies = shared.get(first) ?? [];
  shared.set(first, policies);
  const known = policies.find(
    (policy) => policy.rules.length === rules.length && policy.rules.every((rule, index) => rule === rules[index]),
  );
  if (known !== undefined) return known;
  const subsets = new Map<string, Subset>();
  for (const rule of rules) {
    for (const subset of rule.spec.subsets) if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  }
  const policy = {
    rules,
    trafficPolicy: rules.find((rule) => rule.spec.trafficPolicy !== undefined)?.spec.trafficPolicy ?? null,
    subsets: [...subsets.values()],
  };
  policies.push(policy);
  return policy;
}

interface NamespaceRules {
  readonly byHost: Map<string, Config<'DestinationRule'>[]>;
  readonly wildcards: Config<'DestinationRule'>[];
}

const indexes = new WeakMap<readonly Config<'DestinationRule'>[], ReadonlyMap<string, NamespaceRules>>();

/** The rules by namespace and host, made once per list. */
function indexOf(
  rules: readonly Config<'DestinationRule'>[],
  settings: MeshSettings,
): ReadonlyMap<string, NamespaceRules> {
  const known = indexes.get(rules);
  if (known !== undefined) return known;
  const index = new Map<string, NamespaceRules>();
  for (const rule of rules) {
    const { namespace } = rule.key;
    const entry: NamespaceRules = index.get(namespace) ?? { byHost: new Map(), wildcards: [] };
    index.set(namespace, entry);
    const host = hostOf(rule, settings);
    if (isWildcard(host)) entry.wildcards.push(rule);
    else entry.byHost.set(host, [...(entry.byHost.get(host) ?? []), rule]);
  }
  indexes.set(rules, index);
  return index;
}

function hostOf(rule: Config<'DestinationRule'>, settings: MeshSettings): string {
  return resolveHost(rule.spec.host, rule.key.namespace, settings.domainSuffix);
}
