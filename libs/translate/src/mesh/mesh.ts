import { type AnyMeshResource, formatKey, type ResourceKey } from '@flotilla/model';
import { emptyParts, type MeshParts, rebuildParts } from './parts.ts';
import { KindLists, type ResourceChange } from './kind-lists.ts';
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
  /** The same by kind. */
  readonly kinds: KindLists;
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
    scopes: new Scopes(),
    ...emptyParts(),
  };
}

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
  return changes.length === 0 ? { ...mesh, version } : rebuild({ ...mesh, version, resources }, changes);
}

/** The mesh with other settings: everything that they count for is worked out anew. */
export function withSettings(mesh: Mesh, settings: MeshSettings): Mesh {
  return rebuild({ ...mesh, settings }, null);
}

/** Brings the parts up to the resources; `null`: any may have changed, or what they mean. */
function rebuild(mesh: Mesh, changes: readonly ResourceChange[] | null): Mesh {
  const kinds = changes === null ? mesh.kinds : mesh.kinds.with(changes);
  return { ...mesh, kinds, ...rebuildParts(mesh, changes, (kind) => kinds.of(kind), mesh.settings) };
}
