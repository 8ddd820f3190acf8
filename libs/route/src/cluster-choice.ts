import type {
  RouteAction,
  WeightedCluster,
  WeightedCluster_ClusterWeight as ClusterWeight,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { type MetadataMatch, mergeMatches, metadataMatchOf } from './metadata-match.ts';
import { refuse } from '@flotilla/envoy';
import { compileHeaderEdits } from '@flotilla/format';
import type { Scope } from './scope.ts';
import type { RoutableRequest } from './routable-request.ts';
import type { ClusterChoice, ForwardAction } from './route.ts';

/** How a forwarding action chooses its cluster. */
export interface CompiledChoice {
  readonly pick: ForwardAction['pick'];
  /** Clusters known by name; a cluster taken from a header is not among them. */
  readonly clusters: readonly string[];
}

/** Compiles `cluster`, `cluster_header` or `weighted_clusters`. `scope` is the route's. */
export function compileClusterChoice(action: RouteAction, scope: Scope, path: string): CompiledChoice {
  const rule = action.clusterSpecifier;
  const ofRoute = metadataMatchOf(action.metadataMatch);
  switch (rule.case) {
    case 'cluster': {
      if (rule.value === '') refuse(`${path}.cluster`, 'is empty');
      const choice = plainChoice(rule.value, ofRoute);
      return { pick: () => choice, clusters: [rule.value] };
    }
    case 'clusterHeader': {
      const name = headerName(rule.value, `${path}.cluster_header`);
      return { pick: (request) => plainChoice(headerValue(request, name), ofRoute), clusters: [] };
    }
    case 'weightedClusters':
      return compileWeighted(rule.value, ofRoute, scope, `${path}.weighted_clusters`);
    case 'clusterSpecifierPlugin':
      return refuse(`${path}.cluster_specifier_plugin`, 'is not supported');
    case 'inlineClusterSpecifierPlugin':
      return refuse(`${path}.inline_cluster_specifier_plugin`, 'is not supported');
    case undefined:
      return refuse(path, 'must name a cluster');
  }
}

interface Share {
  /** Sum of the weights up to and including this one. */
  readonly upTo: number;
  readonly choose: (request: RoutableRequest) => ClusterChoice;
}

function compileWeighted(
  proto: WeightedCluster,
  ofRoute: MetadataMatch | null,
  scope: Scope,
  path: string,
): CompiledChoice {
  let total = 0;
  const shares: Share[] = proto.clusters.map((cluster, index) => {
    const field = `${path}.clusters[${index}]`;
    total += cluster.weight ?? 0;
    return { upTo: total, choose: compileShare(cluster, ofRoute, scope, field) };
  });
  if (total === 0) refuse(path, 'the sum of the weights is 0');
  if (total > 0xffff_ffff) refuse(path, 'the sum of the weights does not fit 32 bits');
  if (proto.totalWeight !== undefined && proto.totalWeight !== total) {
    refuse(`${path}.total_weight`, `is ${proto.totalWeight}, but the weights add up to ${total}`);
  }
  const last = shares.at(-1);
  return {
    pick(request, random) {
      const point = random * total;
      for (const share of shares) if (point < share.upTo) return share.choose(request);
      return last === undefined ? plainChoice('', ofRoute) : last.choose(request);
    },
    clusters: proto.clusters.map((cluster) => cluster.name).filter((name) => name !== ''),
  };
}

function compileShare(
  cluster: ClusterWeight,
  ofRoute: MetadataMatch | null,
  scope: Scope,
  path: string,
): Share['choose'] {
  const { request, response } = compileHeaderEdits(cluster, `${path}.`, scope.surroundings);
  const { perFilter: merged } = scope.inner({ request, response }, cluster.typedPerFilterConfig, path);
  const perFilter = merged === scope.perFilter ? null : merged;
  const metadataMatch = mergeMatches(ofRoute, metadataMatchOf(cluster.metadataMatch));
  const authority =
    cluster.hostRewriteSpecifier.case === 'hostRewriteLiteral' ? cluster.hostRewriteSpecifier.value : null;
  if (cluster.name !== '') {
    if (cluster.clusterHeader !== '') refuse(path, 'has both name and cluster_header');
    const choice: ClusterChoice = { cluster: cluster.name, request, response, perFilter, authority, metadataMatch };
    return () => choice;
  }
  const name = headerName(cluster.clusterHeader, `${path}.cluster_header`);
  return (target) => ({ cluster: headerValue(target, name), request, response, perFilter, authority, metadataMatch });
}

function plainChoice(cluster: string, metadataMatch: MetadataMatch | null): ClusterChoice {
  return { cluster, request: null, response: null, perFilter: null, authority: null, metadataMatch };
}

function headerName(text: string, path: string): string {
  if (text === '') refuse(path, 'is empty');
  return text.toLowerCase();
}

function headerValue(request: RoutableRequest, name: string): string {
  if (name === ':authority' || name === 'host') return request.authority;
  return request.headers.get(name) ?? '';
}
