import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Registry,
} from '@bufbuild/protobuf';
import { isObject, limit } from '@flotilla/runtime';
import type { FieldPath } from '@flotilla/envoy';

/** One fault of a document, at the place of its value (or of its key, for a field that does not exist). */
export interface JsonFault {
  readonly path: FieldPath;
  readonly message: string;
}

/** Messages whose JSON form is not an object of their fields. */
const SPECIAL = /^google\.protobuf\.(Duration|Timestamp|Struct|Value|ListValue|FieldMask|[A-Za-z0-9]+Value)$/;

const MAX_DEPTH = limit({
  name: 'proxy.bootstrap-depth',
  what: 'nesting of a bootstrap file',
  default: 100,
  unit: 'levels',
  past: 'refused',
});

/**
 * Checks JSON (or YAML read as such) against a message type and reports every fault, where `fromJson` stops at the
 * first and names no path. What passes here is decoded by `fromJson` without error.
 */
export function checkJson(schema: DescMessage, json: unknown, registry: Registry): JsonFault[] {
  const faults: JsonFault[] = [];
  checkMessage(schema, json, [], { registry, faults });
  return faults;
}

interface Check {
  readonly registry: Registry;
  readonly faults: JsonFault[];
}

function checkMessage(schema: DescMessage, json: unknown, path: FieldPath, check: Check): void {
  if (path.length > MAX_DEPTH) {
    check.faults.push({ path, message: `nested deeper than ${MAX_DEPTH} levels` });
    return;
  }
  if (SPECIAL.test(schema.typeName)) {
    report(path, check, () => fromJson(schema, json as JsonValue)); // fromJson itself checks the value's type
    return;
  }
  if (schema.typeName === 'google.protobuf.Any') {
    checkAny(json, path, check);
    return;
  }
  if (!isObject(json)) {
    check.faults.push({ path, message: `expected an object (${schema.typeName}), found ${describe(json)}` });
    return;
  }
  checkFields(schema, json, path, check);
}

function checkFields(schema: DescMessage, json: JsonObject, path: FieldPath, check: Check): void {
  const oneofs = new Map<string, string>();
  for (const [key, value] of Object.entries(json)) {
    const field = fieldOf(schema, key);
    const fieldPath = [...path, key];
    if (field === undefined) {
      check.faults.push({ path: fieldPath, message: `unknown field "${key}" in ${schema.typeName}` });
      continue;
    }
    if (value === null) continue;
    const oneof = field.oneof?.name;
    const other = oneof === undefined ? undefined : oneofs.get(oneof);
    if (other !== undefined) {
      check.faults.push({ path: fieldPath, message: `"${key}" and "${other}" exclude each other (${oneof})` });
    }
    if (oneof !== undefined) oneofs.set(oneof, key);
    checkField(schema, field, key, value, fieldPath, check);
  }
}

function checkField(
  schema: DescMessage,
  field: DescField,
  key: string,
  value: JsonValue,
  path: FieldPath,
  check: Check,
): void {
  const single = (item: JsonValue, itemPath: FieldPath, wrap: (item: JsonValue) => JsonValue): void => {
    if (field.message !== undefined) checkMessage(field.message, item, itemPath, check);
    else report(itemPath, check, () => fromJson(schema, { [key]: wrap(item) }));
  };
  switch (field.fieldKind) {
    case 'list':
      if (!Array.isArray(value)) {
        check.faults.push({ path, message: `expected a list, found ${describe(value)}` });
        return;
      }
      value.forEach((item, index) => single(item, [...path, index], (one) => [one]));
      return;
    case 'map':
      if (!isObject(value)) {
        check.faults.push({ path, message: `expected a map, found ${describe(value)}` });
        return;
      }
      for (const [name, item] of Object.entries(value)) single(item, [...path, name], (one) => ({ [name]: one }));
      return;
    default:
      single(value, path, (one) => one);
  }
}

function checkAny(json: unknown, path: FieldPath, check: Check): void {
  const url = isObject(json) ? json['@type'] : undefined;
  if (!isObject(json) || typeof url !== 'string') {
    check.faults.push({ path, message: 'needs "@type", the type URL of the message' });
    return;
  }
  const name = url.slice(url.lastIndexOf('/') + 1);
  const schema = check.registry.getMessage(name);
  if (schema === undefined) {
    check.faults.push({ path: [...path, '@type'], message: `unknown or unsupported type "${name}"` });
    return;
  }
  const { '@type': _type, ...fields } = json;
  if (SPECIAL.test(name)) checkMessage(schema, json['value'], [...path, 'value'], check);
  else checkMessage(schema, fields, path, check);
}

function fieldOf(schema: DescMessage, key: string): DescField | undefined {
  // Both spellings are JSON names of a field: lowerCamelCase and the one of the .proto file.
  return schema.fields.find((field) => field.name === key || field.jsonName === key);
}

function report(path: FieldPath, check: Check, decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    check.faults.push({ path, message: text.replace(/^cannot decode [^:]*?from JSON: /, '') });
  }
}

function describe(json: unknown): string {
  if (json === null || json === undefined) return 'nothing';
  if (Array.isArray(json)) return 'a list';
  return typeof json === 'object' ? 'an object' : `${typeof json} ${JSON.stringify(json)}`;
}

/** Type URLs of every `Any` in a document. */
export function typeUrlsIn(json: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(json)) for (const item of json) typeUrlsIn(item, found);
  else if (isObject(json)) {
    const url = json['@type'];
    if (typeof url === 'string') found.add(url);
    for (const value of Object.values(json)) typeUrlsIn(value, found);
  }
  return found;
}
