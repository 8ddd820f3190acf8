import { formatKey, formatPath } from '@flotilla/model';
import type { AnyMeshResource, Finding, Locator } from '@flotilla/model';
import type { MeshSet, SetChange } from '../set/mesh-set.ts';
import type { AnalysisScope, CrossFault } from './analyser.ts';
import { ANALYSERS } from './analysers.ts';

/** A finding of cross-resource analysis, with what could have brought it about. */
export interface CrossFinding {
  readonly finding: Finding;
  readonly causes: CrossFault['causes'];
}

/** Positions of fields by resource key, for the resources whose text is at hand. */
export type Locators = ReadonlyMap<string, Locator>;

/** Judges one resource against the set. A finding has the position of its field in `locators`, or as
 * it was when the resource was written; after a restart, the position of the resource. */
export function analyseResource(
  resource: AnyMeshResource,
  scope: AnalysisScope,
  locators: Locators = new Map(),
): readonly CrossFinding[] {
  const key = formatKey(resource.key);
  const locator = locators.get(key) ?? scope.set.getByText(key)?.locator ?? null;
  return ANALYSERS.flatMap((analyser) => analyser.analyse(resource, scope)).map(({ fault, causes }) => ({
    causes,
    finding: {
      severity: fault.severity,
      code: fault.code,
      resource: resource.key,
      field: formatPath(fault.path),
      origin: locator?.locate(fault.path, fault.subject) ?? resource.origin,
      message: fault.message,
      hint: fault.hint,
    },
  }));
}

/** Judges every resource of the set. */
export function analyseAll(scope: AnalysisScope): readonly CrossFinding[] {
  return [...scope.set.entries()].flatMap((entry) => analyseResource(entry.typed, scope));
}

/**
 * Keys of the resources whose findings the changes may alter, once the set has them: what changed itself, and what looks
 * at it, by what the analysers say they read.
 */
export function affectedBy(
  changes: readonly SetChange[],
  set: MeshSet,
  before: readonly AnyMeshResource[],
): Set<string> {
  const after = changes.flatMap((change) => (change.type === 'put' ? [change.entry.typed] : []));
  const changed = [...after, ...before];
  const affected = new Set(changed.map(({ key }) => formatKey(key)));
  for (const analyser of ANALYSERS) for (const key of analyser.affectedBy(changed, set)) affected.add(key);
  return affected;
}

/** Text that is equal for equal findings, positions aside. */
export function identityOf({ resource, code, field, message }: Finding): string {
  return `${resource === null ? '' : formatKey(resource)} ${code} ${field} ${message}`;
}
