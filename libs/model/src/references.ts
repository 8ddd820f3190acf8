import type { Destination, VirtualService } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import type { FieldPath } from './decode/fault.ts';
import { DEFAULT_DOMAIN_SUFFIX, resolveHost, serviceHost } from './hosts.ts';
import type { Labels } from './labels.ts';
import type { AnyMeshResource, MeshResourceOf } from './mesh-resource.ts';

/** The name that stands for all sidecars where gateways are listed. */
export const MESH_GATEWAY = 'mesh';

type VirtualServiceResource = Pick<MeshResourceOf<'VirtualService'>, 'key' | 'spec'>;

/**
 * The full hosts that a Service, ServiceEntry, DestinationRule or VirtualService speaks for; none for other kinds. The
 * hosts of a VirtualService are those of requests, whose case says nothing, and so in lower case; the others are names
 * of services, which Istio looks up as they are written.
 */
export function hostsOf(resource: AnyMeshResource, domainSuffix = DEFAULT_DOMAIN_SUFFIX): readonly string[] {
  const { name, namespace } = resource.key;
  switch (resource.type) {
    case 'Service':
      return [serviceHost(name, namespace, domainSuffix)];
    case 'ServiceEntry':
      return resource.spec.hosts;
    case 'DestinationRule':
      return [resolveHost(resource.spec.host, namespace, domainSuffix)];
    case 'VirtualService':
      return resource.spec.hosts.map((host) => resolveHost(host, namespace, domainSuffix).toLowerCase());
    default:
      return [];
  }
}

/** A place in a VirtualService that sends traffic somewhere. */
export interface DestinationReference {
  /** Full host. */
  readonly host: string;
  /** As written. */
  readonly writtenHost: string;
  /** "" for the whole service. */
  readonly subset: string;
  /** Of the destination. */
  readonly path: FieldPath;
}

/** Everywhere that the rules of a VirtualService send traffic: HTTP with its mirrors, TLS and TCP. */
export function destinationsOf(
  { key, spec }: VirtualServiceResource,
  domainSuffix = DEFAULT_DOMAIN_SUFFIX,
): readonly DestinationReference[] {
  const found: DestinationReference[] = [];
  const add = (destination: Destination | undefined, path: FieldPath): void => {
    if (destination === undefined || destination.host === '') return;
    const { host, subset } = destination;
    found.push({ host: resolveHost(host, key.namespace, domainSuffix), writtenHost: host, subset, path });
  };
  spec.http.forEach(({ route, mirror, mirrors }, index) => {
    const path = ['spec', 'http', index];
    route.forEach(({ destination }, each) => add(destination, [...path, 'route', each, 'destination']));
    add(mirror, [...path, 'mirror']);
    mirrors.forEach(({ destination }, each) => add(destination, [...path, 'mirrors', each, 'destination']));
  });
  for (const family of ['tls', 'tcp'] as const) {
    spec[family].forEach(({ route }, index) => {
      route.forEach(({ destination }, each) => add(destination, ['spec', family, index, 'route', each, 'destination']));
    });
  }
  return found;
}

/** A resource that another names. */
export interface NameReference {
  /** `namespace/name`. */
  readonly id: string;
  readonly path: FieldPath;
}

/** The VirtualServices that one delegates to; without a namespace, of its own. */
export function delegatesOf({ key, spec }: VirtualServiceResource): readonly NameReference[] {
  return spec.http.flatMap(({ delegate }, index) =>
    delegate === undefined
      ? []
      : [{ id: `${delegate.namespace || key.namespace}/${delegate.name}`, path: ['spec', 'http', index, 'delegate'] }],
  );
}

/** The Gateways that a VirtualService binds to, without the mesh itself. */
export function gatewaysOf({ key, spec }: VirtualServiceResource): readonly NameReference[] {
  return spec.gateways.flatMap((name, index) =>
    name === MESH_GATEWAY ? [] : [{ id: gatewayId(name, key.namespace), path: ['spec', 'gateways', index] }],
  );
}

/**
 * `namespace/name` of the Gateway that a resource of `namespace` names, `mesh` as it is. `name` and `./name` are of that
 * namespace; as in Istio, the older form `name.namespace` (with or without the rest of a host) is understood.
 */
export function gatewayId(name: string, namespace: string): string {
  if (name === MESH_GATEWAY) return name;
  if (name.startsWith('./')) return `${namespace}${name.slice(1)}`;
  if (name.includes('/')) return name;
  const [short = '', of] = name.split('.');
  return of === undefined ? `${namespace}/${name}` : `${of}/${short}`;
}

/** Whether sidecars obey the VirtualService: it names no gateway, or the mesh among them. */
export function isInMesh({ spec }: { readonly spec: Pick<VirtualService, 'gateways'> }): boolean {
  return spec.gateways.length === 0 || spec.gateways.includes(MESH_GATEWAY);
}

/**
 * The labels by which a resource chooses workloads; `null` where it has no selector. What that means is the kind's: a
 * Service then has no workloads of its own, a Sidecar or PeerAuthentication is for all of its namespace. As in Istio, an
 * empty selector is none for a Service and a PeerAuthentication, and takes every workload elsewhere.
 */
export function selectorOf(resource: AnyMeshResource): Labels | null {
  switch (resource.type) {
    case 'Gateway':
      return resource.spec.selector;
    case 'Service':
      return orNone(resource.spec.selector);
    case 'PeerAuthentication':
      return orNone(resource.spec.selector?.matchLabels ?? {});
    case 'Sidecar':
    case 'ServiceEntry':
      return resource.spec.workloadSelector?.labels ?? null;
    case 'DestinationRule':
      return resource.spec.workloadSelector?.matchLabels ?? null;
    default:
      return null;
  }
}

function orNone(selector: Labels): Labels | null {
  return Object.keys(selector).length === 0 ? null : selector;
}
