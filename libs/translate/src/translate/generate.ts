import type { LocalityLoadBalancerSetting } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import type { XdsShortName } from '@flotilla/xds';
import type { ProxyNode } from '../mesh/proxy-node.ts';
import type { ProxyView } from '../mesh/view.ts';
import type { Service } from '../registry/service.ts';
import type { ResourceCache } from './cache.ts';
import { inboundClusterResource } from './cluster/inbound.ts';
import { outboundClusterResource } from './cluster/outbound.ts';
import { effectivePolicy } from './cluster/policy.ts';
import { subsetLabels } from './cluster/subset.ts';
import { blackHoleResource, inboundPassthroughResource, passthroughResource } from './cluster/standing.ts';
import type { EncodedResource } from './encoded.ts';
import { endpointResource, type LocalityInputs } from './endpoint/load-assignment.ts';
import { localityPreference, localitySetting } from './endpoint/locality.ts';
import { type GatewayServer, groupServers, routeNameOf, type ServerGroup } from './gateway-servers.ts';
import { filterOmissions, proxyFilters } from './http-filters/proxy-filters.ts';
import { gatewayListenerResource } from './listener/gateway.ts';
import { explicitInboundResource, virtualInboundResource } from './listener/inbound.ts';
import { outboundListenerResource } from './listener/outbound.ts';
import { virtualOutboundResource } from './listener/virtual-outbound.ts';
import { listenerName, parseOutboundCluster } from './names.ts';
import { mayPassUnknown, planOutbound, relevantLabels } from './outbound-plan.ts';
import { gatewayRouteResource } from './route/gateway.ts';
import { hashedServices } from './route/hash-policy.ts';
import { sidecarRouteResource } from './route/sidecar.ts';

/** Everything one generation is made from. */
export interface Generation {
  readonly view: ProxyView;
  readonly node: ProxyNode;
  readonly cache: ResourceCache;
}

/** What a proxy asks for of a type that is asked for by name. */
export interface Wanted {
  readonly names: ReadonlySet<string>;
  /** Of those, names the proxy holds nothing for and waits to hear of. */
  readonly unanswered: ReadonlySet<string>;
}

/**
 * The resources of one type for one proxy, by name. Types that are asked for by name (EDS, RDS) give those wanted that
 * exist; the others give all.
 */
export function generate(
  type: XdsShortName,
  generation: Generation,
  { names, unanswered }: Wanted,
): ReadonlyMap<string, EncodedResource> {
  switch (type) {
    case 'CDS':
      return byName(clusters(generation));
    case 'EDS':
      return byName([...names].flatMap((name) => endpoints(generation, name, unanswered)));
    case 'LDS':
      return byName(generation.node.type === 'router' ? gatewayListeners(generation) : sidecarListeners(generation));
    case 'RDS':
      return byName(
        generation.node.type === 'router' ? gatewayRoutes(generation, names) : sidecarRoutes(generation, names),
      );
    case 'SDS':
    case 'ECDS':
      // Secrets come from the agent; no filter is configured by discovery.
      return new Map();
  }
}

/** What the proxy does not get, and why, one line each. */
export function omissions({ view, node }: Generation): readonly string[] {
  const conflicts = node.type === 'router' ? groupServers(view.gateways).conflicts : planOutbound(view, node).conflicts;
  return [...filterOmissions(node), ...conflicts];
}

function byName(resources: readonly EncodedResource[]): ReadonlyMap<string, EncodedResource> {
  return new Map(resources.map((resource) => [resource.name, resource]));
}

function clusters({ view, node, cache }: Generation): EncodedResource[] {
  const mesh = view.settings;
  const outbound = view.services.flatMap((service) => {
    const destination = view.destinations.get(service.id) ?? null;
    const isResolvedByProxy = service.resolution === 'dns' || service.resolution === 'dns-round-robin';
    const endpoints = isResolvedByProxy ? (view.endpoints.get(service.id) ?? null) : null;
    const subsets = ['', ...(destination?.subsets.map((subset) => subset.name) ?? [])];
    return service.ports
      .filter((port) => port.protocol !== 'UDP')
      .flatMap((port) =>
        subsets.map((subset) => {
          const setting = localitySetting(effectivePolicy(destination, subset, port.number), mesh);
          return cache.get(outboundClusterResource, {
            service,
            port,
            subset,
            destination,
            endpoints,
            ...localityInputs(isResolvedByProxy ? setting : null, node),
            isExplicit: node.isExplicit,
            mesh,
          });
        }),
      );
  });
  const inbound = view.inbound.map((port) =>
    cache.get(inboundClusterResource, { port, families: node.families, mesh }),
  );
  const passthrough =
    node.type === 'router' || node.isExplicit
      ? []
      : [
          cache.get(passthroughResource, { mesh }),
          cache.get(inboundPassthroughResource, { families: node.families, mesh }),
        ];
  const called = proxyFilters({ view, node }).clusters(cache);
  return [...outbound, ...inbound, ...passthrough, ...called, cache.get(blackHoleResource, { mesh })];
}

/** What a resource takes of the client's place: nothing where it does not count, so that all clients share it. */
function localityInputs(setting: LocalityLoadBalancerSetting | null, node: ProxyNode): LocalityInputs {
  const preference = localityPreference(setting, node);
  return {
    localitySetting: setting,
    locality: preference?.locality ?? '',
    localityLabels: preference?.labels ?? '',
  };
}

const byHost = new WeakMap<readonly Service[], ReadonlyMap<string, Service>>();

/** One index for the life of a view's list of services: proxies ask for endpoints cluster by cluster. */
function servicesByHost({ services }: ProxyView): ReadonlyMap<string, Service> {
  const index = byHost.get(services) ?? new Map(services.map((service) => [service.hostname, service]));
  byHost.set(services, index);
  return index;
}

/**
 * A proxy that waits for the endpoints of a cluster that does not exist (any more) hears that there are none; one that
 * has endpoints keeps them until it lets go of the cluster.
 */
function endpoints(
  { view, node, cache }: Generation,
  name: string,
  unanswered: ReadonlySet<string>,
): EncodedResource[] {
  const parsed = parseOutboundCluster(name);
  const service = parsed === null ? undefined : servicesByHost(view).get(parsed.hostname);
  const destination = (service && view.destinations.get(service.id)) ?? null;
  const isKnown =
    parsed !== null &&
    service?.ports.some(({ number }) => number === parsed.port) === true &&
    (parsed.subset === '' || destination?.subsets.some((subset) => subset.name === parsed.subset) === true);
  if (!isKnown || service === undefined) {
    if (!unanswered.has(name)) return [];
    return [
      cache.get(endpointResource, {
        name,
        endpoints: null,
        port: 0,
        subsetLabels: null,
        ...localityInputs(null, node),
      }),
    ];
  }
  const policy = effectivePolicy(destination, parsed.subset, parsed.port);
  return [
    cache.get(endpointResource, {
      name,
      endpoints: view.endpoints.get(service.id) ?? null,
      port: parsed.port,
      subsetLabels: parsed.subset === '' ? null : subsetLabels(destination, parsed.subset),
      ...localityInputs(localitySetting(policy, view.settings), node),
    }),
  ];
}

function sidecarListeners({ view, node, cache }: Generation): EncodedResource[] {
  const mesh = view.settings;
  const filters = proxyFilters({ view, node });
  const mayPass = mayPassUnknown(view, node);
  const virtualServices = [...new Set(view.egress.flatMap((egress) => egress.virtualServices))].filter(
    ({ spec }) => spec.tcp.length > 0,
  );
  const outbound = planOutbound(view, node).listeners.map(({ opaque, ...listener }) =>
    cache.get(outboundListenerResource, {
      ...listener,
      families: node.families,
      services: opaque.map((entry) => entry.service),
      ports: opaque.map((entry) => entry.port),
      hashed: opaque.length === 0 ? [] : hashedServices(view),
      virtualServices,
      // Only TCP rules look other services up.
      known: virtualServices.length === 0 ? [] : view.services,
      mayPass,
      filters,
      mesh,
      namespace: node.namespace,
      labels: relevantLabels(virtualServices, node),
    }),
  );
  if (node.isExplicit) {
    const inbound = view.inbound.flatMap((port) =>
      port.bind === null ? [] : [cache.get(explicitInboundResource, { port, bind: port.bind, filters, mesh })],
    );
    return [...inbound, ...outbound];
  }
  const { families } = node;
  return [
    cache.get(virtualOutboundResource, { mayPass, families, mesh }),
    cache.get(virtualInboundResource, { ports: view.inbound, mtls: view.mtls, families, filters, mesh }),
    ...outbound,
  ];
}

function sidecarRoutes({ view, node, cache }: Generation, names: ReadonlySet<string>): EncodedResource[] {
  const mayPass = mayPassUnknown(view, node);
  const { routes } = planOutbound(view, node);
  return [...names].flatMap((name) => {
    const plan = routes.get(name);
    if (plan === undefined) return [];
    const { port, services, virtualServices } = plan;
    return [
      cache.get(sidecarRouteResource, {
        name,
        port,
        services:
          port === null ? services : services.filter(({ ports }) => ports.some(({ number }) => number === port)),
        hashed: hashedServices(view),
        known: view.services,
        virtualServices,
        mesh: view.settings,
        mayPass,
        namespace: node.namespace,
        labels: relevantLabels(virtualServices, node),
      }),
    ];
  });
}

/** Where a server's port is really listened on: as the agent says, otherwise on the port itself. */
function bindOf(group: ServerGroup, node: ProxyNode): { readonly bindAddress: string; readonly bindPort: number } {
  const bound = node.ports.find(({ port }) => port === group.port);
  return bound ?? { bindAddress: group.bind === '' ? '0.0.0.0' : group.bind, bindPort: group.port };
}

function gatewayListeners({ view, node, cache }: Generation): EncodedResource[] {
  return groupServers(view.gateways).groups.map((group) => {
    const virtualServices = group.kind === 'tcp' ? view.gatewayVirtualServices : [];
    return cache.get(gatewayListenerResource, {
      name: listenerName(group.bind === '' ? '0.0.0.0' : group.bind, group.port),
      port: group.port,
      serverBind: group.bind,
      bindAddress: bindOf(group, node).bindAddress,
      bindPort: bindOf(group, node).bindPort,
      gateways: view.gateways,
      virtualServices,
      services: group.kind === 'tcp' ? view.services : [],
      hashed: group.kind === 'tcp' ? hashedServices(view) : [],
      filters: proxyFilters({ view, node }),
      mesh: view.settings,
      namespace: node.namespace,
      labels: relevantLabels(virtualServices, node),
    });
  });
}

function gatewayRoutes({ view, node, cache }: Generation, names: ReadonlySet<string>): EncodedResource[] {
  const offered = new Map<string, ServerGroup>();
  for (const group of groupServers(view.gateways).groups) {
    if (group.kind === 'tcp') continue;
    for (const server of group.servers satisfies readonly GatewayServer[])
      offered.set(routeNameOf(group, server), group);
  }
  return [...names].flatMap((name) => {
    const group = offered.get(name);
    if (group === undefined) return [];
    return [
      cache.get(gatewayRouteResource, {
        name,
        gateways: view.gateways,
        virtualServices: view.gatewayVirtualServices,
        services: view.services,
        hashed: hashedServices(view),
        clientPort: bindOf(group, node).bindPort,
        mesh: view.settings,
        namespace: node.namespace,
        labels: relevantLabels(view.gatewayVirtualServices, node),
      }),
    ];
  });
}
