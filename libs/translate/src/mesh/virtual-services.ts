import * as model from '@flotilla/model';
import { isVisibleFrom, MESH_GATEWAY, parseExportTo } from '@flotilla/model';
import { PairMemo } from '../identity.ts';
import { byAge, type Config } from './config.ts';
import type { MeshSettings } from './settings.ts';

/** Gateways a VirtualService binds to as `namespace/name`, or `mesh`. None written means the mesh. */
export function gatewaysOf(virtualService: Config<'VirtualService'>): string[] {
  const named = model.gatewaysOf(virtualService).map(({ id }) => id);
  return model.isInMesh(virtualService) ? [MESH_GATEWAY, ...named] : named;
}

export function isVirtualServiceVisible(
  virtualService: Config<'VirtualService'>,
  namespace: string,
  settings: MeshSettings,
): boolean {
  const { spec, key } = virtualService;
  const visibility = parseExportTo(spec.exportTo, key.namespace, settings.config.defaultVirtualServiceExportTo);
  return isVisibleFrom(visibility, namespace);
}

/** Full hosts that the rules are for, in lower case; one list for the life of a rule. */
export function hostsOf(virtualService: Config<'VirtualService'>, settings: MeshSettings): readonly string[] {
  return hosts.get(virtualService, settings);
}

const hosts = new PairMemo((virtualService: Config<'VirtualService'>, { domainSuffix }: MeshSettings) =>
  model.hostsOf(virtualService, domainSuffix),
);

/** Every host that the rules send traffic to, full names. */
export function destinationHosts(virtualService: Config<'VirtualService'>, settings: MeshSettings): Set<string> {
  return new Set(model.destinationsOf(virtualService, settings.domainSuffix).map(({ host }) => host));
}

/** The rules of HTTP requests for a host: the most specific of their hosts decides, then the oldest; `null`: none. */
export function ruleForHost(
  rules: readonly Config<'VirtualService'>[],
  hostname: string,
  settings: MeshSettings,
): Config<'VirtualService'> | null {
  const { exact, wide } = httpRules.get(rules, settings);
  const rule = exact.get(hostname) ?? wide.find(({ host }) => model.hostCovers(host, hostname))?.rule;
  return rule ?? null;
}

interface HttpRules {
  readonly exact: ReadonlyMap<string, Config<'VirtualService'>>;
  /** Of wildcard hosts, the most specific first. */
  readonly wide: readonly { readonly host: string; readonly rule: Config<'VirtualService'> }[];
}

const httpRules = new PairMemo((rules: readonly Config<'VirtualService'>[], settings: MeshSettings): HttpRules => {
  const exact = new Map<string, Config<'VirtualService'>>();
  const wide: { readonly host: string; readonly rule: Config<'VirtualService'> }[] = [];
  for (const rule of [...rules].sort(byAge)) {
    if (rule.spec.http.length === 0) continue;
    for (const host of hostsOf(rule, settings)) {
      if (model.isWildcard(host)) wide.push({ host, rule });
      else if (!exact.has(host)) exact.set(host, rule);
    }
  }
  // Sorting keeps the order of what is equal: the oldest comes first.
  return { exact, wide: wide.sort((a, b) => model.compareSpecificity(a.host, b.host)) };
});
