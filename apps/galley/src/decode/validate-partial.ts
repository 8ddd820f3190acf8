import type { JsonObject } from '@bufbuild/protobuf';
import { FaultList, isObject } from '@flotilla/model';
import type { Fault, FieldPath } from '@flotilla/model';
import { validate } from '../validate/validate.ts';
import type { Candidate } from './candidate.ts';

/**
 * Adds what else is wrong with a document of which some fields could not be read. Reported is what is certain without
 * them: errors about a value that is written, in a map that has no unreadable field anywhere in it. What is missing,
 * or excludes something else, may only seem so.
 */
export function validatePartial(
  candidate: Candidate,
  document: JsonObject,
  unreadable: readonly Fault[],
  faults: FaultList,
): void {
  const found = new FaultList();
  validate(candidate, found);
  const places = unreadable.filter(({ severity }) => severity === 'error').map(({ path }) => path);
  for (const fault of found.faults) {
    if (fault.severity !== 'error' || fault.subject !== 'value') continue;
    const map = enclosingMap(document, fault.path);
    if (map !== null && !places.some((place) => startsWith(place, map))) faults.add(fault);
  }
}

/** Path of the innermost map that a value stands in, `null` when there is no such value. */
function enclosingMap(document: JsonObject, path: FieldPath): FieldPath | null {
  let value: unknown = document;
  let map: FieldPath = [];
  for (const [index, step] of path.entries()) {
    if (Array.isArray(value)) value = value[Number(step)];
    else if (isObject(value) && Object.hasOwn(value, step)) {
      map = path.slice(0, index);
      value = value[step];
    } else return null;
  }
  return value === undefined || value === null ? null : map;
}

function startsWith(path: FieldPath, prefix: FieldPath): boolean {
  return prefix.every((step, index) => path[index] === step);
}
