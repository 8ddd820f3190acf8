import { isObject } from '@flotilla/runtime';
import type { DescMessage, JsonObject } from '@bufbuild/protobuf';

/** Paths of a `FieldMask`, each as its steps. */
export type FieldMask = readonly (readonly string[])[];

/** `a,b.c`. */
export function parseFieldMask(text: string): FieldMask {
  return text
    .split(',')
    .filter((path) => path !== '')
    .map((path) => path.split('.'));
}

/**
 * Whether every path leads to a field of the message. What is in a list has no path (protobuf's `FieldMaskUtil`), and
 * what is in an `Any` may be anything.
 */
export function fits(mask: FieldMask, schema: DescMessage): boolean {
  return mask.length > 0 && mask.every((path) => leadsTo(path, schema));
}

function leadsTo([name, ...rest]: readonly string[], schema: DescMessage): boolean {
  const field = schema.fields.find((each) => each.name === name);
  if (field === undefined) return false;
  if (rest.length === 0) return true;
  if (field.fieldKind !== 'message') return false;
  return field.message.typeName === 'google.protobuf.Any' || leadsTo(rest, field.message);
}

/** What of a printed message the paths lead to, and what type it has. */
export function masked(value: JsonObject, mask: FieldMask): JsonObject {
  const shown: JsonObject = value['@type'] === undefined ? {} : { '@type': value['@type'] };
  for (const [name, item] of Object.entries(value)) {
    const below = mask.filter(([first]) => first === name).map(([, ...rest]) => rest);
    if (below.length === 0) continue;
    shown[name] = below.some((rest) => rest.length === 0) || !isObject(item) ? item : masked(item, below);
  }
  return shown;
}
