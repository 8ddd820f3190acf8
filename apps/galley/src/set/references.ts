import { resolveHost, serviceHost } from '@flotilla/model';
import type { AnyMeshResource, FieldPath, MeshResourceOf } from '@flotilla/model';
import type { Destination } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { MESH_GATEWAY } from '../validate/virtual-service-gateways.ts';

type VirtualServiceResource = MeshResourceOf<'VirtualService'>;

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

/** The full hosts that a Service, ServiceEntry, DestinationRule or VirtualService speaks for. */
export function hostsOf(resource: AnyMeshResource): readonly string[] {
  const { name, namespace } = resource.key;
  switch (resource.type) {
    case 'Service':
      return [serviceHost(name, namespace)];
    case 'ServiceEntry':
      return resource.spec.hosts;
    case 'DestinationRule':
      return [resolveHost(resource.spec.host, namespace)];
    case 'VirtualService':
      return resource.spec.hosts.map((host) => resolveHost(host, namespace));
    default:
      return [];
  }
}

/** Everywhere that a VirtualService sends traffic, mirrors included. */
export function destinationsOf({ key, spec }: VirtualServiceResource): readonly DestinationReference[] {
  const found: DestinationReference[] = [];
  const add = (destination: Destination | undefined, path: FieldPath): void => {
    if (destination === undefined || destination.host === '') return;
    const { host, subset } = destination;
    found.push({ host: resolveHost(host, key.namespace), writtenHost: host, subset, path });
  };
  spec.http.forEach(({ route, mirror, mirrors }, index) => {
    const path = ['spec', 'http', index];
    route.forEach(({ destination }, each) => add(destination, [...path, 'route', each, 'destination']));
    add(mirror, [...path, 'mirror']);
    mirrors.forEach(({ destination }, each) => add(destination, [...path, 'mirrors', each, 'destination']));
  });
  spec.tcp.forEach(({ route }, index) => {
    route.forEach(({ destination }, each) => add(destination, ['spec', 'tcp', index, 'route', each, 'destination']));
  });
  return found;
}

export interface DelegateReference {
  /** `namespace/name`. */
  readonly delegate: string;
  readonly path: FieldPath;
}

/** The VirtualServices that one delegates to. */
export function delegatesOf({ key, spec }: VirtualServiceResource): readonly DelegateReference[] {
  return spec.http.flatMap(({ delegate }, index) =>
    delegate === undefined
      ? []
      : [
          {
            delegate: `${delegate.namespace || key.namespace}/${delegate.name}`,
            path: ['spec', 'http', index, 'delegate'],
          },
        ],
  );
}

export interface GatewayReference {
  /** `namespace/name`. */
  readonly gateway: string;
  readonly path: FieldPath;
}

/** The gateways that a VirtualService names, without the mesh itself. */
export function gatewaysOf({ key, spec }: VirtualServiceResource): readonly GatewayReference[] {
  return spec.gateways.flatMap((name, index) =>
    name === MESH_GATEWAY ? [] : [{ gateway: gatewayKey(name, key.namespace), path: ['spec', 'gateways', index] }],
  );
}

/** Full name of a gateway. As in Istio, a name with a dot may be `name.namespace.svc.…` and stands for `namespace/name`. */
export function gatewayKey(name: string, namespace: string): string {
  if (name.includes('/')) return name;
  const [short, of] = name.split('.');
  return of === undefined ? `${namespace}/${name}` : `${of}/${short}`;
}

/** Whether sidecars obey the VirtualService. */
export function isInMesh({ spec }: VirtualServiceResource): boolean {
  return spec.gateways.length === 0 || spec.gateways.includes(MESH_GATEWAY);
}
