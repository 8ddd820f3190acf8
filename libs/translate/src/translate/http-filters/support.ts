import { Memo } from '../../identity.ts';
import type { ProxyNode } from '../../mesh/proxy-node.ts';

/** Which of Istio's own filters a proxy has. One unknown extension makes Envoy refuse a whole resource. */
export interface FilterSupport {
  readonly hasPeerMetadata: boolean;
  readonly hasAlpn: boolean;
  readonly hasStats: boolean;
}

interface Negotiated {
  readonly member: keyof FilterSupport;
  /** Names and type URLs by which proxies announce it. */
  readonly announced: readonly string[];
  readonly consequence: string;
}

const NEGOTIATED: readonly Negotiated[] = [
  {
    member: 'hasPeerMetadata',
    announced: ['istio.metadata_exchange', 'envoy.filters.http.peer_metadata', 'io.istio.http.peer_metadata.Config'],
    consequence: 'istio.metadata_exchange: telemetry does not name the workload at the other end',
  },
  {
    member: 'hasAlpn',
    announced: ['istio.alpn', 'envoy.filters.http.alpn', 'istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig'],
    consequence: 'istio.alpn: servers find out the HTTP version of mesh traffic by themselves',
  },
  {
    member: 'hasStats',
    announced: ['istio.stats', 'envoy.filters.http.istio_stats', 'stats.PluginConfig'],
    consequence: "istio.stats: the proxy writes its own statistics instead of Istio's standard metrics",
  },
];

const shared = new Map<string, FilterSupport>();
const negotiated = new Memo(negotiate);

/** Negotiates from the node's list of extensions. Equal answers are one object, so that proxies share resources. */
export function filterSupport(node: Pick<ProxyNode, 'extensions'>): FilterSupport {
  return negotiated.get(node.extensions);
}

function negotiate(extensions: ProxyNode['extensions']): FilterSupport {
  const support = { hasPeerMetadata: false, hasAlpn: false, hasStats: false };
  for (const { member, announced } of NEGOTIATED) {
    support[member] = announced.some((name) => extensions.has(name));
  }
  const key = NEGOTIATED.map(({ member }) => Number(support[member])).join('');
  const known = shared.get(key) ?? Object.freeze(support);
  shared.set(key, known);
  return known;
}

/** What was left out for a proxy, with the consequence, one line each. */
export function filterOmissions(support: FilterSupport): string[] {
  return NEGOTIATED.filter(({ member }) => !support[member]).map(({ consequence }) => consequence);
}
