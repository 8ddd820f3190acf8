import { type AnyMeshResource, formatKey, isOfType, type KnownKind, type ResourceKey } from '@flotilla/model';
import { byAge, type Config } from './config.ts';
import { emptyParts, type MeshParts, rebuildParts } from './parts.ts';
import { Scopes } from './scope.ts';
import type { MeshSettings } from './settings.ts';

/**
 * All that pilot knows at one version. Immutable: a change makes a new mesh, which shares every part that did not
 * change. Lists of configuration are in order of age.
 */
export interface Mesh extends MeshParts {
  readonly version: number;
  readonly settings: MeshSettings;
  readonly resources: ReadonlyMap<string, AnyMeshResource>;
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
  return { version: 0, settings, resources: new Map(), scopes: new Scopes(), ...emptyParts() };
}

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
  const { settings, scopes } = mesh;
  const all = [...resources.values()];
  const ofKind = <Kind extends KnownKind>(kind: Kind): readonly Config<Kind>[] =>
    all.filter((resource) => isOfType(resource, kind)).sort(byAge);
  return {
    version: update.version,
    settings,
    resources,
    scopes,
    ...rebuildParts(mesh, changedKinds, ofKind, settings),
  };
}
