import { typedResource } from '@flotilla/model';
import type { KindEntry, KnownKind, Locator, Resource, SpecByKind } from '@flotilla/model';
import { keepPositions } from '../analyse/positions.ts';
import type { MeshEntry } from '../set/mesh-set.ts';

/** A resource as the set has it. With `locator`, the positions of what analysis may speak of are kept. */
export function meshEntry(
  resource: Resource,
  entry: KindEntry,
  spec: SpecByKind[KnownKind],
  owner: string,
  locator: Locator | null = null,
): MeshEntry {
  const typed = typedResource(resource, entry, spec);
  return { resource, typed, owner, locator: locator === null ? null : keepPositions(typed, locator) };
}
