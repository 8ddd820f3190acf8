import { isVisibleFrom, labelsMatch, MESH_GATEWAY, parseExportTo } from '@flotilla/model';
import { keyOf, Memo, PairMemo } from '../identity.ts';
import { reuse } from '../registry/registry.ts';
import type { Service } from '../registry/service.ts';
import type { Config } from './config.ts';
import { type DestinationPolicy, destinationPolicyFor, selectingRules } from './destination-rules.ts';
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

/** What proxies can reach, and by which policies. */
export interface Targets {
  readonly settings: MeshSettings;
  /** One per hostname, by hostname. */
  readonly services: readonly Service[];
  /** By service id; absent where no rule holds. */
  readonly destinations: ReadonlyMap<string, DestinationPolicy>;
}

/**
 * What all proxies of one class see of the mesh: one object for all of them, which keeps its identity, and whose parts
 * keep theirs, for as long as the content is the same.
 */
export interface Scope {
  readonly targets: Targets;
  /** A sidecar's egress listeners; one that offers everything where no Sidecar limits it. */
  readonly egress: readonly Egress[];
  readonly sidecar: Config<'Sidecar'> | null;
  /** A gateway's Gateway resources. */
  readonly gateways: readonly Config<'Gateway'>[];
  /** VirtualServices bound to those. */
  readonly gatewayVirtualServices: readonly Config<'VirtualService'>[];
}

/** The parts of a mesh that scopes are made from. */
export interface ScopeSources {
  readonly version: number;
  readonly settings: MeshSettings;
  readonly registry: { readonly services: readonly Service[] };
  readonly virtualServices: readonly Config<'VirtualService'>[];
  readonly destinationRules: readonly Config<'DestinationRule'>[];
  readonly gateways: readonly Config<'Gateway'>[];
  readonly sidecars: readonly Config<'Sidecar'>[];
}

/** How the scope of a node is told apart from others', and what it is made from. */
interface ScopeClass {
  readonly key: string;
  readonly sidecar: Config<'Sidecar'> | null;
  readonly gateways: readonly Config<'Gateway'>[];
  /** Nothing else is looked at: the same parts again give the same scope. */
  readonly parts: readonly object[];
}

interface Known {
  readonly parts: readonly object[];
  readonly scope: Scope;
}

/** Meshes at one version: the one that was written, and those without what some data planes refuse. */
const MOST_AT_ONCE = 4;

/** The scopes of one mesh and those that come of it. What no proxy asked for since the version before is forgotten. */
export class Scopes {
  #version = -1;
  #current = new Map<string, Known[]>();
  #before: ReadonlyMap<string, Known[]> = new Map();

  /** The scope of a node, made once for all of its class, from what changed since the last. */
  of(mesh: ScopeSources, node: ProxyNode): Scope {
    if (mesh.version !== this.#version) {
      this.#version = mesh.version;
      this.#before = this.#current;
      this.#current = new Map();
    }
    const scopeClass = classOf(mesh, node);
    const known = this.#current.get(scopeClass.key) ?? this.#before.get(scopeClass.key) ?? [];
    const same = known.find(({ parts }) => parts.every((part, at) => part === scopeClass.parts[at]));
    const scope = same?.scope ?? scopeOf(mesh, node, scopeClass, known[0]?.scope ?? null);
    if (same === undefined) known.unshift({ parts: scopeClass.parts, scope });
    known.length = Math.min(known.length, MOST_AT_ONCE);
    this.#current.set(scopeClass.key, known);
    return scope;
  }
}

function classOf(mesh: ScopeSources, node: ProxyNode): ScopeClass {
  const sidecar = node.type === 'router' ? null : sidecarFor(mesh.sidecars, node, mesh.settings.rootNamespace);
  const gateways =
    node.type === 'router' ? mesh.gateways.filter(({ spec }) => labelsMatch(spec.selector, node.labels)) : [];
  const chosen = [...(sidecar === null ? [] : [sidecar]), ...gateways, ...selectingRules(mesh.destinationRules, node)];
  return {
    key: keyOf([node.type, node.namespace, ...chosen.map(({ key }) => `${key.kind}/${key.namespace}/${key.name}`)]),
    sidecar,
    gateways,
    parts: [
      mesh.settings,
      mesh.registry.services,
      mesh.virtualServices,
      mesh.destinationRules,
      ...(sidecar === null ? [] : [sidecar]),
      ...gateways,
    ],
  };
}

function scopeOf(mesh: ScopeSources, node: ProxyNode, of: ScopeClass, previous: Scope | null): Scope {
  const visible = visibleServices.get(mesh.registry.services).in(node.namespace);
  const scope =
    node.type === 'router' ? gatewayScope(mesh, node, of, visible) : sidecarScope(mesh, node, of, visible, previous);
  return keepFields(previous, {
    targets: targetsOf(mesh, node, keepList(previous?.targets.services, scope.services), previous?.targets),
    egress: scope.egress,
    sidecar: scope.sidecar,
    gateways: keepList(previous?.gateways, scope.gateways),
    gatewayVirtualServices: keepList(previous?.gatewayVirtualServices, scope.gatewayVirtualServices),
  });
}

type Seen = Omit<Scope, 'targets'> & { readonly services: readonly Service[] };

function targetsOf(
  mesh: ScopeSources,
  node: ProxyNode,
  services: readonly Service[],
  previous: Targets | undefined,
): Targets {
  const { settings, destinationRules } = mesh;
  const destinations = new Map<string, DestinationPolicy>();
  for (const service of services) {
    const policy = destinationPolicyFor(destinationRules, service, node, settings);
    if (policy !== null) destinations.set(service.id, policy);
  }
  return keepFields(previous, { settings, services, destinations: keepMap(previous?.destinations, destinations) });
}

/** What each namespace sees, worked out once for all of its proxies. */
const visibleServices = new Memo((services: readonly Service[]) => {
  const known = new Map<string, readonly Service[]>();
  return {
    in(namespace: string): readonly Service[] {
      const seen = known.get(namespace) ?? findVisibleServices(services, namespace);
      known.set(namespace, seen);
      return seen;
    },
  };
});

/** The services exported to a namespace. Of several with one hostname, its own namespace's, else the first. */
function findVisibleServices(services: readonly Service[], namespace: string): readonly Service[] {
  const byHost = new Map<string, Service>();
  for (const service of services) {
    if (!isVisibleFrom(parseExportTo(service.exportTo, service.namespace), namespace)) continue;
    const taken = byHost.get(service.hostname);
    const isCloser =
      taken?.source === 'service-entry' && taken.namespace !== namespace && service.namespace === namespace;
    if (taken === undefined || isCloser) byHost.set(service.hostname, service);
  }
  return [...byHost.values()];
}

/** The rules for requests within the mesh, with their hosts, read once for all classes. */
const meshRules = new PairMemo((virtualServices: readonly Config<'VirtualService'>[], settings: MeshSettings) =>
  virtualServices
    .filter((rule) => gatewaysOf(rule).includes(MESH_GATEWAY))
    .map((rule) => ({ rule, hosts: hostsOf(rule, settings), destinations: destinationHosts(rule, settings) })),
);

function sidecarScope(
  mesh: ScopeSources,
  node: ProxyNode,
  { sidecar }: ScopeClass,
  visible: readonly Service[],
  previous: Scope | null,
): Seen {
  const visibleRules = meshRules
    .get(mesh.virtualServices, mesh.settings)
    .filter(({ rule }) => isVirtualServiceVisible(rule, node.namespace, mesh.settings));
  const listeners = egressListeners(sidecar, node.namespace, mesh.settings);
  const reachable = new Set<Service>();
  const egress = listeners.map((listener, index) => {
    const before = previous?.egress[index];
    const rules = visibleRules.filter(({ rule, hosts }) =>
      hosts.some((host) => isImported(listener.imports, host, rule.key.namespace)),
    );
    // What an imported rule sends traffic to is needed too, imported or not (as in Istio).
    const needed = new Set(rules.flatMap(({ destinations }) => [...destinations]));
    const services = visible.filter((service) => isImported(listener.imports, service.hostname, service.namespace));
    for (const service of services) reachable.add(service);
    for (const service of visible) if (needed.has(service.hostname)) reachable.add(service);
    return keepFields(before, {
      listener: reuse(before?.listener, listener),
      services: keepList(before?.services, services),
      virtualServices: keepList(
        before?.virtualServices,
        rules.map(({ rule }) => rule),
      ),
    });
  });
  return {
    services: visible.filter((service) => reachable.has(service)),
    egress: keepList(previous?.egress, egress),
    sidecar,
    gateways: [],
    gatewayVirtualServices: [],
  };
}

/** A gateway needs the services that its VirtualServices name, and no others. */
function gatewayScope(
  mesh: ScopeSources,
  node: ProxyNode,
  { gateways }: ScopeClass,
  visible: readonly Service[],
): Seen {
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
    gateways,
    gatewayVirtualServices,
  };
}

/** `previous` when both hold the same elements in the same order. */
export function keepList<Element>(
  previous: readonly Element[] | undefined,
  fresh: readonly Element[],
): readonly Element[] {
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

/** `previous` when all fields are the same. */
export function keepFields<Value extends object>(previous: Value | null | undefined, fresh: Value): Value {
  if (previous === undefined || previous === null) return fresh;
  for (const field in fresh) if (previous[field] !== fresh[field]) return fresh;
  return previous;
}
