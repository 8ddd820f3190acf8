import type { JsonObject, JsonValue } from '@bufbuild/protobuf';

/** Whether metadata holds every pair that is wanted. */
export function holdsAll(metadata: JsonObject | null, wanted: JsonObject): boolean {
  return Object.entries(wanted).every(([key, value]) => metadata !== null && isSameJson(metadata[key], value));
}

function isSameJson(a: JsonValue | undefined, b: JsonValue): boolean {
  return a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));
}
