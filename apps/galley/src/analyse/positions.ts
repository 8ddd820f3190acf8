import { formatPath } from '@flotilla/model';
import type { AnyMeshResource, FieldPath, Locator, Origin } from '@flotilla/model';
import { ANALYSERS } from './analysers.ts';

/**
 * Keeps the positions of the fields that analysis may speak of, so that a resource whose text is no longer at hand can
 * still be pointed into. `null` for kinds that are not analysed.
 */
export function keepPositions(resource: AnyMeshResource, locator: Locator): Locator | null {
  const paths = analysedPaths(resource);
  if (paths.length === 0) return null;
  const positions = new Map<string, Origin>(paths.map((path) => [formatPath(path), locator.locate(path, 'value')]));
  return { locate: (path) => positions.get(formatPath(path)) ?? resource.origin };
}

/** The fields that analysis may speak of; none for kinds that are not analysed. */
export function analysedPaths(resource: AnyMeshResource): readonly FieldPath[] {
  return ANALYSERS.flatMap((analyser) => analyser.fieldsOf(resource));
}
