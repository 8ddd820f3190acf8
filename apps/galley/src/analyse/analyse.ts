import { formatKey, formatPath, hostsOf, isOfType } from '@flotilla/model';
import type { AnyMeshResource, Finding, Locator } from '@flotilla/model';
import type { MeshSet, SetChange } from '../set/mesh-set.ts';
import type { Analyser, AnalysisScope, CrossFault } from './analyser.ts';
import { conflictingHosts } from './conflicting-hosts.ts';
import { missingDelegate } from './missing-delegate.ts';
import { missingGateway } from './missing-gateway.ts';
import { missingSubset } from './missing-subset.ts';
import { unknownHost } from './unknown-host.ts';

const ANALYSERS: readonly Analyser[] = [missingSubset, missingGateway, missingDelegate, unknownHost, conflictingHosts];

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
  if (!isOfType(resource, 'VirtualService')) return [];
  const key = formatKey(resource.key);
  const locator = locators.get(key) ?? scope.set.getByText(key)?.locator ?? null;
  return ANALYSERS.flatMap((analyser) => analyser(resource, scope)).map(({ fault, causes }: CrossFault) => ({
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

/** Keys of the resources whose findings the changes may alter, once the set has them. */
export function affectedBy(
  changes: readonly SetChange[],
  set: MeshSet,
  before: readonly AnyMeshResource[],
): Set<string> {
  const { references } = set;
  const affected = new Set<string>();
  const addAll = (keys: Iterable<string>): void => {
    for (const key of keys) affected.add(key);
  };
  // Hosts first, each once: many resources may speak for one.
  const meshHosts = new Set<string>();
  const destinations = new Set<string>();
  const after = changes.flatMap((change) => (change.type === 'put' ? [change.entry.typed] : []));
  for (const resource of [...after, ...before]) {
    const { namespace, name } = resource.key;
    switch (resource.type) {
      case 'VirtualService':
        affected.add(formatKey(resource.key));
        for (const host of hostsOf(resource)) meshHosts.add(host);
        addAll(references.delegatingTo(`${namespace}/${name}`));
        break;
      case 'Gateway':
        addAll(references.atGateway(`${namespace}/${name}`));
        break;
      case 'Service':
      case 'ServiceEntry':
      case 'DestinationRule':
        for (const host of hostsOf(resource)) destinations.add(host);
    }
  }
  addAll(references.meshHosts.coveredByAny(meshHosts));
  addAll(references.destinations.coveredByAny(destinations));
  return affected;
}

/** Text that is equal for equal findings, positions aside. */
export function identityOf({ resource, code, field, message }: Finding): string {
  return `${resource === null ? '' : formatKey(resource)} ${code} ${field} ${message}`;
}
