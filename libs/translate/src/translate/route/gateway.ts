import { VirtualHost_TlsRequirementType } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import type { Config } from '../../mesh/config.ts';
import { type LabelList, labelsOf } from '../../mesh/label-list.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import { gatewaysOf } from '../../mesh/virtual-services.ts';
import type { Service } from '../../registry/service.ts';
import { routeDraft } from '../draft.ts';
import { boundHosts, gatewayServerId, groupServers, routeNameOf, serverHosts } from '../gateway-servers.ts';
import { UNREACHED_HEADER } from '../unreached.ts';
import type { HashedService } from './hash-policy.ts';
import { httpRoutes, type RouteInit } from './http-route.ts';
import { servicesByHost } from './services-by-host.ts';
import { claimDomains, type VirtualHostInit } from './virtual-host.ts';

export type GatewayRouteInputs = {
  readonly name: string;
  readonly gateways: readonly Config<'Gateway'>[];
  readonly virtualServices: readonly Config<'VirtualService'>[];
  readonly services: readonly Service[];
  readonly hashed: readonly HashedService[];
  /** Port on which clients reach the listener. */
  readonly clientPort: number;
  readonly mesh: MeshSettings;
  readonly namespace: string;
  readonly labels: LabelList;
};

/**
 * Routes of a gateway's servers that share `name`. Rules of several VirtualServices for one host are put together, the
 * oldest first, those that take everything last.
 */
export function gatewayRouteResource(inputs: GatewayRouteInputs) {
  const { name, gateways, virtualServices, mesh } = inputs;
  const hosts = new Map<string, { routes: RouteInit[]; isRedirected: boolean }>();
  let port = 0;
  for (const group of groupServers(gateways).groups) {
    for (const server of group.servers) {
      if (group.kind === 'tcp' || routeNameOf(group, server) !== name) continue;
      port = group.port;
      const isRedirected = server.server.tls?.httpsRedirect === true;
      const id = gatewayServerId(server);
      for (const rule of virtualServices) {
        if (rule.spec.http.length === 0 || !gatewaysOf(rule).includes(id)) continue;
        const routes = httpRoutes({
          mesh,
          virtualService: rule,
          port,
          clientPort: inputs.clientPort,
          isTls: group.kind === 'https',
          gateways: [id],
          hashed: inputs.hashed,
          proxy: { namespace: inputs.namespace, labels: labelsOf(inputs.labels) },
          services: servicesByHost(inputs.services),
        });
        for (const host of boundHosts(server, rule, mesh)) addRoutes(hosts, host, routes, isRedirected);
      }
      // A redirecting server answers for all its hosts, with or without rules.
      if (isRedirected) for (const host of serverHosts(server)) addRoutes(hosts, host, [], true);
    }
  }
  return routeDraft(name, {
    name,
    virtualHosts: virtualHostsOf(hosts, port),
    ignorePortInHostMatching: true,
    maxDirectResponseBodySizeBytes: 1_048_576,
    responseHeadersToRemove: [UNREACHED_HEADER],
    validateClusters: false,
  });
}

function addRoutes(
  hosts: Map<string, { routes: RouteInit[]; isRedirected: boolean }>,
  host: string,
  routes: readonly RouteInit[],
  isRedirected: boolean,
): void {
  const known = hosts.get(host);
  if (known === undefined) hosts.set(host, { routes: [...routes], isRedirected });
  else {
    // One rule bound to two servers of a port brings the same routes twice.
    known.routes.push(...routes.filter((route) => !known.routes.includes(route)));
    known.isRedirected ||= isRedirected;
  }
}

function virtualHostsOf(
  hosts: ReadonlyMap<string, { routes: RouteInit[]; isRedirected: boolean }>,
  port: number,
): VirtualHostInit[] {
  const taken = new Set<string>();
  const found = [...hosts].map(([host, { routes, isRedirected }]): VirtualHostInit => ({
    name: `${host}:${port}`,
    domains: claimDomains([host], taken),
    routes: [...routes.filter((route) => !takesAll(route)), ...routes.filter(takesAll)],
    includeRequestAttemptCount: true,
    ...(isRedirected ? { requireTls: VirtualHost_TlsRequirementType.ALL } : {}),
  }));
  // Nothing bound: every request gets 404, as from a route configuration that knows the host and no path.
  return found.length > 0 ? found : [{ name: `blackhole:${port}`, domains: ['*'] }];
}

function takesAll({ match }: RouteInit): boolean {
  return (
    match?.pathSpecifier?.case === 'prefix' &&
    match.pathSpecifier.value === '/' &&
    (match.headers?.length ?? 0) === 0 &&
    (match.queryParameters?.length ?? 0) === 0
  );
}
