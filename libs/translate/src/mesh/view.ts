import { isVisibleFrom, labelsMatch, MESH_GATEWAY, parseExportTo } from '@flotilla/model';
import { reuse } from '../registry/registry.ts';
import type { EndpointSet, Service } from '../registry/service.ts';
import type { Config } from './config.ts';
import { type DestinationPolicy, destinationPolicyFor } from './destination-rules.ts';
import { type InboundPort, inboundPorts } from './inbound.ts';
import type { Mesh } from './mesh.ts';
import { type MtlsMode, portMtls, workloadMtls } from './peer-authentication.ts';
import type { ProxyNode } from './proxy-node.ts';
import type { MeshSettings } from './settings.ts';
import { type EgressListener, egressListeners, isImported, sidecarFor } from './sidecar-scope.ts';
import { destinationHosts, gatewaysOf, hostsOf, isVirtualServiceVisible } from './virtual-services.ts';

/** What one egress listener offers. */
export interface Egress {
  readonly listener: EgressListener;
  readonly services: readonly Service[];
  readonly virtualServices: readonly Config<'VirtualService'>[];
}

/**
 * The part of the mesh that one proxy's configuration is made of, and nothing else. Each member keeps its identity
 * for as long as its content is the same: comparing two views member by member tells what has to be sent.
 */
export interface ProxyView {
  readonly settings: MeshSettings;
  /** One per hostname, by hostname. */
  readonly services: readonly Service[];
  /** By service id, for `services`. */
  readonly endpoints: ReadonlyMap<string, EndpointSet>;
  /** By service id; absent where no rule holds. */
  readonly destinations: ReadonlyMap<string, DestinationPolicy>;
  /** A sidecar's egress listeners; one that offers everything where no Sidecar limits it. */
  readonly egress: readonly Egress[];
  readonly sidecar: Config<'Sidecar'> | null;
  /** A sidecar's own ports. */
  readonly inbound: readonly InboundPort[];
  /** For inbound ports that nobody declared. */
  readonly mtls: MtlsMode;
  /** A gateway's Gateway resources. */
  readonly gateways: readonly Config<'Gateway'>[];
  /** VirtualServices bound to those. */
  readonly gatewayVirtualServices: readonly Config<'VirtualService'>[];
}

/** The view of a proxy, sharing with `previous` all that is the same. */
export function viewOf(mesh: Mesh, node: ProxyNode, previous: ProxyView | null): ProxyView {
  const visible = visibleServices(mesh, node.namespace);
  const scope =
    node.type === 'router' ? gatewayScope(mesh, node, visible) : sidecarScope(mesh, node, visible, previous);
  const services = keepList(previous?.services, scope.services);
  const client = { namespace: node.namespace, labels: node.labels };
  const destinations = new Map<string, DestinationPolicy>();
  const endpoints = new Map<string, EndpointSet>();
  for (const service of services) {
    const policy = destinationPolicyFor(mesh.destinationRules, service, client, mesh.settings);
    if (policy !== null) destinations.set(service.id, policy);
    const set = mesh.registry.endpoints.get(service.id);
    if (set !== undefined) endpoints.set(service.id, set);
  }
  return {
    settings: mesh.settings,
    services,
    endpoints: keepMap(previous?.endpoints, endpoints),
    destinations: keepMap(previous?.destinations, destinations),
    egress: scope.egress,
    sidecar: scope.sidecar,
    inbound: scope.inbound,
    mtls: scope.mtls,
    gateways: keepList(previous?.gateways, scope.gateways),
    gatewayVirtualServices: keepList(previous?.gatewayVirtualServices, scope.gatewayVirtualServices),
  };
}

type Scope = Omit<ProxyView, 'settings' | 'endpoints' | 'destinations'>;

// Many proxies share a namespace: what it sees is worked out once per mesh.
const visibleByNamespace = new WeakMap<Mesh, Map<string, Service[]>>();

/** The services exported to a namespace. Of several with one hostname, its own namespace's, else the first. */
function visibleServices(mesh: Mesh, namespace: string): Service[] {
  const known = visibleByNamespace.get(mesh) ?? new Map<string, Service[]>();
  visibleByNamespace.set(mesh, known);
  const services = known.get(namespace) ?? findVisibleServices(mesh, namespace);
  known.set(namespace, services);
  return services;
}

function findVisibleServices(mesh: Mesh, namespace: string): Service[] {
  const byHost = new Map<string, Service>();
  for (const service of mesh.registry.services) {
    if (!isVisibleFrom(parseExportTo(service.exportTo, service.namespace), namespace)) continue;
    const taken = byHost.get(service.hostname);
    const isCloser =
      taken?.source === 'service-entry' && taken.namespace !== namespace && service.namespace === namespace;
    if (taken === undefined || isCloser) byHost.set(service.hostname, service);
  }
  return [...byHost.values()];
}

function sidecarScope(mesh: Mesh, node: ProxyNode, visible: Service[], previous: ProxyView | null): Scope {
  const client = { namespace: node.namespace, labels: node.labels };
  const sidecar = sidecarFor(mesh.sidecars, client, mesh.settings.rootNamespace);
  const visibleRules = mesh.virtualServices.filter(
    (rule) => gatewaysOf(rule).includes(MESH_GATEWAY) && isVirtualServiceVisible(rule, node.namespace, mesh.settings),
  );
  const listeners = egressListeners(sidecar, node.namespace, mesh.settings);
  const egress = listeners.map((listener, index) => {
    const before = previous?.egress[index];
    const virtualServices = visibleRules.filter((rule) =>
      hostsOf(rule, mesh.settings).some((host) => isImported(listener.imports, host, rule.key.namespace)),
    );
    // What an imported rule sends traffic to is needed too, imported or not (as in Istio).
    const destinations = new Set(virtualServices.flatMap((rule) => [...destinationHosts(rule, mesh.settings)]));
    const services = visible.filter((service) => isImported(listener.imports, service.hostname, service.namespace));
    const needed = visible.filter((service) => destinations.has(service.hostname) && !services.includes(service));
    const fresh = {
      listener: reuse(before?.listener, listener),
      services: keepList(before?.services, services),
      virtualServices: keepList(before?.virtualServices, virtualServices),
    };
    return { egress: keepFields(before, fresh), needed };
  });
  const reachable = new Set(egress.flatMap((entry) => [...entry.egress.services, ...entry.needed]));
  const selecting = mesh.registry.services.filter(
    ({ selector, namespace }) =>
      selector !== null && namespace === node.namespace && labelsMatch(selector, node.labels),
  );
  const mtls = workloadMtls(mesh.peerAuthentications, client, mesh.settings.rootNamespace);
  const inbound = inboundPorts(node, selecting, (port) => portMtls(mtls, port));
  return {
    services: visible.filter((service) => reachable.has(service)),
    egress: keepList(
      previous?.egress,
      egress.map((entry) => entry.egress),
    ),
    sidecar,
    inbound: keepList(
      previous?.inbound,
      inbound.map((port) =>
        reuse(
          previous?.inbound.find((before) => before.port === port.port),
          port,
        ),
      ),
    ),
    mtls: mtls.mode,
    gateways: [],
    gatewayVirtualServices: [],
  };
}

/** A gateway needs the services that its VirtualServices name, and no others. */
function gatewayScope(mesh: Mesh, node: ProxyNode, visible: Service[]): Scope {
  const gateways = mesh.gateways.filter((gateway) => labelsMatch(gateway.spec.selector, node.labels));
  const ids = new Set(gateways.map(({ key }) => `${key.namespace}/${key.name}`));
  const gatewayVirtualServices = mesh.virtualServices.filter(
    (rule) =>
      gatewaysOf(rule).some((gateway) => ids.has(gateway)) &&
      isVirtualServiceVisible(rule, node.namespace, mesh.settings),
  );
  const destinations = new Set(gatewayVirtualServices.flatMap((rule) => [...destinationHosts(rule, mesh.settings)]));
  return {
    services: visible.filter((service) => destinations.has(service.hostname)),
    egress: [],
    sidecar: null,
    inbound: [],
    mtls: 'PERMISSIVE',
    gateways,
    gatewayVirtualServices,
  };
}

/** `previous` when both hold the same elements in the same order. */
function keepList<Element>(previous: readonly Element[] | undefined, fresh: readonly Element[]): readonly Element[] {
  const isSame =
    previous !== undefined &&
    previous.length === fresh.length &&
    fresh.every((element, index) => element === previous[index]);
  return isSame ? previous : fresh;
}

function keepMap<Value>(
  previous: ReadonlyMap<string, Value> | undefined,
  fresh: ReadonlyMap<string, Value>,
): ReadonlyMap<string, Value> {
  if (previous === undefined || previous.size !== fresh.size) return fresh;
  for (const [key, value] of fresh) if (previous.get(key) !== value) return fresh;
  return previous;
}

function keepFields<Value extends object>(previous: Value | undefined, fresh: Value): Value {
  if (previous === undefined) return fresh;
  // Both are of one type, so the entries of one name the fields of the other.
  const before = new Map(Object.entries(previous));
  return Object.entries(fresh).every(([field, value]) => before.get(field) === value) ? previous : fresh;
}
