import { type AnyMeshResource, formatKey, type KnownKind, type ResourceKey } from '@flotilla/model';
import { type Bindings, bindingsOf } from '../registry/bindings.ts';
import { emptyRegistry, type Registry, type RegistrySources, reuse, updateRegistry } from '../registry/registry.ts';
import type { Config } from './config.ts';
import { flattenDelegates } from './delegates.ts';
import { KindLists, type ResourceChange } from './kind-lists.ts';
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
  /** The same by kind. */
  readonly kinds: KindLists;
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
    kinds: new KindLists(),
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
  const touched = new Set<string>();
  for (const { key, resource } of update.changes) {
    const id = formatKey(key);
    touched.add(id);
    const before = mesh.resources.get(id);
    if (resource === null) resources.delete(id);
    else resources.set(id, before?.resourceVersion === resource.resourceVersion ? before : resource);
  }
  for (const key of update.unreadable ?? []) {
    const id = formatKey(key);
    touched.add(id);
    const before = mesh.resources.get(id);
    if (before !== undefined) resources.set(id, before);
  }
  if (update.isSnapshot) for (const id of mesh.resources.keys()) touched.add(id);
  const changes = [...touched].flatMap((id) => {
    const [before, after] = [mesh.resources.get(id) ?? null, resources.get(id) ?? null];
    return before === after ? [] : [{ before, after }];
  });
  const { version } = update;
  return changes.length === 0 ? { ...mesh, version } : derive({ ...mesh, version, resources }, changes);
}

/** The mesh with other settings: everything that they count for is worked out anew. */
export function withSettings(mesh: Mesh, settings: MeshSettings): Mesh {
  return derive({ ...mesh, settings }, null);
}

/** Brings what is derived from the resources up to them; `null`: any may have changed, or what they mean. */
function derive(mesh: Mesh, changes: readonly ResourceChange[] | null): Mesh {
  const kinds = changes === null ? mesh.kinds : mesh.kinds.with(changes);
  const isChanged = (some: ReadonlySet<string>) =>
    changes === null || changes.some(({ before, after }) => some.has((before ?? after)?.type ?? ''));
  return {
    ...mesh,
    kinds,
    virtualServices: isChanged(VIRTUAL_SERVICES)
      ? flattenDelegates(kinds.of('VirtualService'), mesh.settings)
      : mesh.virtualServices,
    destinationRules: kinds.of('DestinationRule'),
    gateways: kinds.of('Gateway'),
    sidecars: kinds.of('Sidecar'),
    peerAuthentications: kinds.of('PeerAuthentication'),
    workloadEntries: kinds.of('WorkloadEntry'),
    bindings: isChanged(BINDING_KINDS)
      ? reuse(
          mesh.bindings,
          bindingsOf({
            workloadGroups: kinds.of('WorkloadGroup'),
            podMakers: POD_MAKERS.flatMap((kind) => kinds.of(kind)),
            pods: kinds.of('Pod'),
          }),
        )
      : mesh.bindings,
    registry: isChanged(REGISTRY_KINDS)
      ? updateRegistry(mesh.registry, registrySources(kinds), changes, mesh.settings)
      : mesh.registry,
  };
}

const VIRTUAL_SERVICES: ReadonlySet<string> = new Set<KnownKind>(['VirtualService']);

const POD_MAKERS = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;

function registrySources(kinds: KindLists): RegistrySources {
  return {
    services: kinds.of('Service'),
    pods: [...POD_MAKERS.map((kind) => kinds.of(kind)), kinds.of('Pod')],
    serviceEntries: kinds.of('ServiceEntry'),
    workloadEntries: kinds.of('WorkloadEntry'),
    peerAuthentications: kinds.of('PeerAuthentication'),
  };
}
