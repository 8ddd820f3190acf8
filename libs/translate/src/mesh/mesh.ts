import { type AnyMeshResource, formatKey, isOfType, type KnownKind, type ResourceKey } from '@flotilla/model';
import { type Bindings, bindingsOf } from '../registry/bindings.ts';
import { buildRegistry, emptyRegistry, type Registry, reuse } from '../registry/registry.ts';
import { byAge, type Config } from './config.ts';
import { flattenDelegates } from './delegates.ts';
import { Scopes } from './scope.ts';
import type { MeshSettings } from './settings.ts';

/**
 * All that pilot knows at one version. Immutable: a change makes a new mesh, which shares every part that did not
 * change. Lists of configuration are in order of age.
 */
export interface Mesh {
  readonly version: number;
  readonly settings: MeshSettings;
  readonly resources: ReadonlyMap<string, AnyMeshResource>;
  readonly registry: Registry;
  /** With the rules of those that they delegate to in their place. */
  readonly virtualServices: readonly Config<'VirtualService'>[];
  readonly destinationRules: readonly Config<'DestinationRule'>[];
  readonly gateways: readonly Config<'Gateway'>[];
  readonly sidecars: readonly Config<'Sidecar'>[];
  readonly peerAuthentications: readonly Config<'PeerAuthentication'>[];
  readonly workloadEntries: readonly Config<'WorkloadEntry'>[];
  /** Which workloads there are, and what their proxies may be. */
  readonly bindings: Bindings;
  /** What its proxies see of it, worked out when they ask, and shared with the meshes that come of it. */
  readonly scopes: Scopes;
}

export interface MeshChange {
  readonly key: ResourceKey;
  /** `null`: it is gone. */
  readonly resource: AnyMeshResource | null;
}

export interface MeshUpdate {
  readonly version: number;
  /** The changes are everything: what is not among them does not exist. */
  readonly isSnapshot: boolean;
  readonly changes: readonly MeshChange[];
  /** What exists and cannot be read: what is known of it stays. */
  readonly unreadable?: readonly ResourceKey[];
}

export function emptyMesh(settings: MeshSettings): Mesh {
  return {
    version: 0,
    settings,
    resources: new Map(),
    registry: emptyRegistry,
    virtualServices: [],
    destinationRules: [],
    gateways: [],
    sidecars: [],
    peerAuthentications: [],
    workloadEntries: [],
    bindings: new Map(),
    scopes: new Scopes(),
  };
}

// Kinds from which the registry is built.
const REGISTRY_KINDS: ReadonlySet<string> = new Set<KnownKind>([
  'Service',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'Pod',
  'ServiceEntry',
  'WorkloadEntry',
  'PeerAuthentication',
]);

// Kinds that describe workloads.
const BINDING_KINDS: ReadonlySet<string> = new Set<KnownKind>([
  'WorkloadGroup',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'Pod',
]);

/** The mesh after an update. A snapshot keeps the identity of what is the same as before. */
export function applyUpdate(mesh: Mesh, update: MeshUpdate): Mesh {
  const resources = new Map(update.isSnapshot ? [] : mesh.resources);
  const changedKinds = new Set<string>();
  for (const { key, resource } of update.changes) {
    const id = formatKey(key);
    const before = mesh.resources.get(id);
    if (resource === null) resources.delete(id);
    else resources.set(id, before?.resourceVersion === resource.resourceVersion ? before : resource);
    if (resources.get(id) !== before) changedKinds.add(key.kind);
  }
  for (const key of update.unreadable ?? []) {
    const id = formatKey(key);
    const before = mesh.resources.get(id);
    if (before !== undefined) resources.set(id, before);
  }
  if (update.isSnapshot) {
    for (const [id, resource] of mesh.resources) if (!resources.has(id)) changedKinds.add(resource.type);
  }
  const all = [...resources.values()];
  const index = <Kind extends KnownKind>(kind: Kind, previous: readonly Config<Kind>[]): readonly Config<Kind>[] =>
    changedKinds.has(kind) ? ofKind(all, kind) : previous;
  const indexes = {
    virtualServices: changedKinds.has('VirtualService')
      ? flattenDelegates(ofKind(all, 'VirtualService'), mesh.settings)
      : mesh.virtualServices,
    destinationRules: index('DestinationRule', mesh.destinationRules),
    gateways: index('Gateway', mesh.gateways),
    sidecars: index('Sidecar', mesh.sidecars),
    peerAuthentications: index('PeerAuthentication', mesh.peerAuthentications),
    workloadEntries: index('WorkloadEntry', mesh.workloadEntries),
  };
  const podMakers = () => [...ofKind(all, 'Deployment'), ...ofKind(all, 'StatefulSet'), ...ofKind(all, 'DaemonSet')];
  const bindings = [...changedKinds].some((kind) => BINDING_KINDS.has(kind))
    ? reuse(
        mesh.bindings,
        bindingsOf({
          workloadGroups: ofKind(all, 'WorkloadGroup'),
          podMakers: podMakers(),
          pods: ofKind(all, 'Pod'),
        }),
      )
    : mesh.bindings;
  const isRegistryChanged = [...changedKinds].some((kind) => REGISTRY_KINDS.has(kind));
  return {
    version: update.version,
    settings: mesh.settings,
    resources,
    ...indexes,
    bindings,
    scopes: mesh.scopes,
    registry: isRegistryChanged
      ? buildRegistry(
          mesh.registry,
          {
            services: ofKind(all, 'Service'),
            pods: [...podMakers(), ...ofKind(all, 'Pod')],
            serviceEntries: ofKind(all, 'ServiceEntry'),
            workloadEntries: indexes.workloadEntries,
            peerAuthentications: indexes.peerAuthentications,
          },
          mesh.settings,
        )
      : mesh.registry,
  };
}

function ofKind<Kind extends KnownKind>(resources: readonly AnyMeshResource[], kind: Kind): readonly Config<Kind>[] {
  return resources.filter((resource) => isOfType(resource, kind)).sort(byAge);
}
