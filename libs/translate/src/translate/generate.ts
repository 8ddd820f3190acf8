import type { XdsShortName } from '@flotilla/xds';
import { keyOf, Memo } from '../identity.ts';
import type { ProxyNode } from '../mesh/proxy-node.ts';
import type { Scope } from '../mesh/scope.ts';
import type { ProxyView } from '../mesh/view.ts';
import type { ResourceCache } from './cache.ts';
import { inboundClusterResource } from './cluster/inbound.ts';
import { blackHoleResource, inboundPassthroughResource, passthroughResource } from './cluster/standing.ts';
import type { EncodedResource } from './encoded.ts';
import { type GatewayServer, groupServers, routeNameOf, type ServerGroup } from './gateway-servers.ts';
import { filterOmissions, proxyFilters } from './http-filters/proxy-filters.ts';
import { gatewayListenerResource } from './listener/gateway.ts';
import { explicitInboundResource, virtualInboundResource } from './listener/inbound.ts';
import { outboundListenerResource } from './listener/outbound.ts';
import { virtualOutboundResource } from './listener/virtual-outbound.ts';
import { listenerName } from './names.ts';
import type { Making } from './making.ts';
import { ClassOffer, type Offer } from './offer.ts';
import { endpointsOf, noEndpoints, outboundClusters } from './outbound-clusters.ts';
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
export function generate(type: XdsShortName, generation: Generation, wanted: Wanted): Offer {
  const steps = generating(type, generation, wanted);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same one resource after another, so that whoever has other things to do can do them in between. */
export function* generating(type: XdsShortName, generation: Generation, wanted: Wanted): Making<Offer> {
  switch (type) {
    case 'CDS':
      return yield* clusters(generation);
    case 'LDS':
      return yield* generation.node.type === 'router' ? gatewayListeners(generation) : sidecarListeners(generation);
    case 'EDS':
      return yield* endpoints(generation, wanted);
    case 'RDS':
      return yield* generation.node.type === 'router'
        ? gatewayRoutes(generation, wanted.names)
        : sidecarRoutes(generation, wanted.names);
    case 'SDS':
    case 'ECDS':
      // Secrets come from the agent; no filter is configured by discovery.
      return new Map();
  }
}

/** What the proxy does not get, and why, one line each. */
export function omissions({ view: { scope }, node }: Generation): readonly string[] {
  const { conflicts } = node.type === 'router' ? groups.get(scope.gateways) : planOutbound(scope, node);
  return [...filterOmissions(node), ...conflicts];
}

function* clusters({ view, node, cache }: Generation): Making<ClassOffer> {
  const { targets } = view.scope;
  const mesh = targets.settings;
  const { families } = node;
  const inbound = view.own.inbound.map((port) => cache.get(inboundClusterResource, { port, families, mesh }));
  const passthrough =
    node.type === 'router' || node.isExplicit
      ? []
      : [cache.get(passthroughResource, { mesh }), cache.get(inboundPassthroughResource, { families, mesh })];
  return new ClassOffer(yield* outboundClusters(targets, view.endpoints, node, cache), [
    ...inbound,
    ...passthrough,
    ...proxyFilters({ view, node }).clusters(cache),
    cache.get(blackHoleResource, { mesh }),
  ]);
}

/**
 * A proxy that waits for the endpoints of a cluster that does not exist (any more) hears that there are none; one that
 * has endpoints keeps them until it lets go of the cluster.
 */
function* endpoints({ view, node, cache }: Generation, { names, unanswered }: Wanted): Making<Offer> {
  const endpointsFor = endpointsOf(view.scope.targets, view.endpoints, node, cache);
  const found = new Map<string, EncodedResource>();
  for (const name of names) {
    const resource = endpointsFor(name) ?? (unanswered.has(name) ? noEndpoints(name, cache) : null);
    if (resource !== null) found.set(name, resource);
    yield;
  }
  return found;
}

const outboundByClass = new Memo((_scope: Scope) => new Map<string, ReadonlyMap<string, EncodedResource>>());

/** Rules for TCP, which alone make listeners differ. */
const tcpRules = new Memo(({ egress }: Scope) =>
  [...new Set(egress.flatMap(({ virtualServices }) => virtualServices))].filter(({ spec }) => spec.tcp.length > 0),
);

/** The listeners of a sidecar that say nothing of its own workload; one map for all sidecars of a class. */
function* outboundListeners({ view, node, cache }: Generation): Making<ReadonlyMap<string, EncodedResource>> {
  const { scope } = view;
  const { families, namespace } = node;
  const { settings: mesh, services } = scope.targets;
  const filters = proxyFilters({ view, node });
  const virtualServices = tcpRules.get(scope);
  const labels = relevantLabels(virtualServices, node.labels);
  const key = keyOf([
    ...[namespace, families, String(node.isExplicit), String(node.httpProxyPort)],
    ...[filters.key, ...labels],
  ]);
  const byClass = outboundByClass.get(scope);
  const known = byClass.get(key);
  if (known !== undefined) return known;
  const mayPass = mayPassUnknown(scope, node);
  const hashed = hashedServices(scope.targets);
  const listeners = new Map<string, EncodedResource>();
  if (!node.isExplicit) {
    const virtual = cache.get(virtualOutboundResource, { mayPass, families, mesh });
    listeners.set(virtual.name, virtual);
  }
  for (const { name, address, port, isBound, routeName, opaque } of planOutbound(scope, node).listeners) {
    const listener = cache.get(outboundListenerResource, {
      ...{ name, address, port, isBound, routeName, families },
      services: opaque.map((entry) => entry.service),
      ports: opaque.map((entry) => entry.port),
      hashed: opaque.length === 0 ? [] : hashed,
      virtualServices,
      // Only TCP rules look other services up.
      known: virtualServices.length === 0 ? [] : services,
      ...{ mayPass, filters, mesh, namespace, labels },
    });
    listeners.set(listener.name, listener);
    yield;
  }
  byClass.set(key, listeners);
  return listeners;
}

function* sidecarListeners(generation: Generation): Making<ClassOffer> {
  const { view, node, cache } = generation;
  const mesh = view.scope.targets.settings;
  const filters = proxyFilters({ view, node });
  const { inbound, mtls } = view.own;
  const own = node.isExplicit
    ? inbound.flatMap((port) =>
        port.bind === null ? [] : [cache.get(explicitInboundResource, { port, bind: port.bind, filters, mesh })],
      )
    : [cache.get(virtualInboundResource, { ports: inbound, mtls, families: node.families, filters, mesh })];
  return new ClassOffer(yield* outboundListeners(generation), own);
}

function* sidecarRoutes({ view: { scope }, node, cache }: Generation, names: ReadonlySet<string>): Making<Offer> {
  const mayPass = mayPassUnknown(scope, node);
  const { routes } = planOutbound(scope, node);
  const { services: known, settings: mesh } = scope.targets;
  const hashed = hashedServices(scope.targets);
  const found = new Map<string, EncodedResource>();
  for (const name of names) {
    const plan = routes.get(name);
    if (plan === undefined) continue;
    const { port, services, virtualServices } = plan;
    const route = cache.get(sidecarRouteResource, {
      ...{ name, port, services, hashed, known, virtualServices, mesh, mayPass },
      namespace: node.namespace,
      labels: relevantLabels(virtualServices, node.labels),
    });
    found.set(name, route);
    yield;
  }
  return found;
}

const groups = new Memo(groupServers);

/** Where a server's port is really listened on: as the agent says, otherwise on the port itself. */
function bindOf(group: ServerGroup, node: ProxyNode): { readonly bindAddress: string; readonly bindPort: number } {
  const bound = node.ports.find(({ port }) => port === group.port);
  return bound ?? { bindAddress: group.bind === '' ? '0.0.0.0' : group.bind, bindPort: group.port };
}

function* gatewayListeners({ view, node, cache }: Generation): Making<ClassOffer> {
  const { scope } = view;
  const { targets, gateways, gatewayVirtualServices } = scope;
  const listeners: EncodedResource[] = [];
  for (const group of groups.get(gateways).groups) {
    const virtualServices = group.kind === 'tcp' ? gatewayVirtualServices : [];
    const listener = cache.get(gatewayListenerResource, {
      name: listenerName(group.bind === '' ? '0.0.0.0' : group.bind, group.port),
      port: group.port,
      serverBind: group.bind,
      bindAddress: bindOf(group, node).bindAddress,
      bindPort: bindOf(group, node).bindPort,
      gateways,
      virtualServices,
      services: group.kind === 'tcp' ? targets.services : [],
      hashed: group.kind === 'tcp' ? hashedServices(targets) : [],
      filters: proxyFilters({ view, node }),
      mesh: targets.settings,
      namespace: node.namespace,
      labels: relevantLabels(virtualServices, node.labels),
    });
    listeners.push(listener);
    yield;
  }
  return new ClassOffer(NOTHING, listeners);
}

const NOTHING: ReadonlyMap<string, EncodedResource> = new Map();

const gatewayRouteGroups = new Memo((gateways: Scope['gateways']): ReadonlyMap<string, ServerGroup> => {
  const offered = new Map<string, ServerGroup>();
  for (const group of groups.get(gateways).groups) {
    if (group.kind === 'tcp') continue;
    for (const server of group.servers satisfies readonly GatewayServer[])
      offered.set(routeNameOf(group, server), group);
  }
  return offered;
});

function* gatewayRoutes({ view: { scope }, node, cache }: Generation, names: ReadonlySet<string>): Making<Offer> {
  const { targets, gateways, gatewayVirtualServices: virtualServices } = scope;
  const offered = gatewayRouteGroups.get(gateways);
  const found = new Map<string, EncodedResource>();
  for (const name of names) {
    const group = offered.get(name);
    if (group === undefined) continue;
    const route = cache.get(gatewayRouteResource, {
      ...{ name, gateways, virtualServices },
      services: targets.services,
      hashed: hashedServices(targets),
      clientPort: bindOf(group, node).bindPort,
      mesh: targets.settings,
      namespace: node.namespace,
      labels: relevantLabels(virtualServices, node.labels),
    });
    found.set(name, route);
    yield;
  }
  return found;
}
