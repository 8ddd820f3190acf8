import { isObject } from '@flotilla/runtime';
import { fromJson, ScalarType } from '@bufbuild/protobuf';
import type { DescEnum, DescField, DescMessage, JsonObject, JsonValue, MessageShape } from '@bufbuild/protobuf';
import { FAULT_CODES, FaultList } from './fault.ts';
import type { Decoded, FieldPath } from './fault.ts';
import { decodeDuration, decodeScalar, describeType, quote } from './scalar.ts';
import { didYouMean } from './suggest.ts';

export interface DecodeMessageOptions {
  /** Where the value stands in its document; every fault's path begins with it. */
  readonly path?: FieldPath;
}

/**
 * Reads a JSON value into a protobuf message as strictly as the schema allows, reporting all faults at once: unknown
 * fields, wrong types, numbers out of range, unknown enum names, two members of one oneof. Durations may be written
 * as Go writes them. `null` means absent. Deprecated fields and values come as warnings. Never throws.
 */
export function decodeMessage<Desc extends DescMessage>(
  schema: Desc,
  value: unknown,
  options: DecodeMessageOptions = {},
): Decoded<MessageShape<Desc>> {
  const faults = new FaultList();
  const path = options.path ?? [];
  const json = walkMessage(schema, value, path, faults);
  const { omitted } = faults;
  if (json === undefined) return { ok: false, faults: faults.faults, omitted };
  if (faults.hasErrors) return { ok: false, faults: faults.faults, omitted, ...partialOf(schema, json) };
  try {
    return { ok: true, value: fromJson(schema, json), faults: faults.faults, omitted };
  } catch (error) {
    faults.error(path, error instanceof Error ? error.message : String(error));
    return { ok: false, faults: faults.faults, omitted };
  }
}

function partialOf<Desc extends DescMessage>(schema: Desc, json: JsonValue): { readonly partial?: MessageShape<Desc> } {
  try {
    return { partial: fromJson(schema, json) };
  } catch {
    // Such as two members of one oneof; the faults tell it already.
    return {};
  }
}

/** Returns the value in protobuf's canonical JSON form, or `undefined` after adding at least one fault. */
function walkMessage(schema: DescMessage, value: unknown, path: FieldPath, faults: FaultList): JsonValue | undefined {
  const wellKnown = walkWellKnown(schema, value, path, faults);
  if (wellKnown !== null) return wellKnown.json;
  if (!isObject(value)) {
    faults.error(path, `must be a map of fields, but is ${describeType(value)}`);
    return undefined;
  }
  const result: JsonObject = {};
  const setOneofs = new Map<string, string>();
  for (const [name, child] of Object.entries(value)) {
    const childPath = [...path, name];
    const field = findField(schema, name);
    if (field === null) {
      faults.unexpected(childPath, `unknown field ${quote(name)}`, () => unknownFieldHint(schema, name));
      continue;
    }
    if (child === null) continue;
    if (field.oneof !== undefined) {
      const other = setOneofs.get(field.oneof.name);
      if (other !== undefined) {
        faults.unexpected(childPath, `"${other}" and "${name}" exclude each other`, 'Keep one of them.');
      }
      setOneofs.set(field.oneof.name, name);
    }
    if (field.deprecated) faults.warn(FAULT_CODES.deprecated, childPath, `"${name}" is deprecated`);
    const json = walkField(field, child, childPath, faults);
    if (json !== undefined) result[field.jsonName] = json;
  }
  return result;
}

function findField(schema: DescMessage, name: string): DescField | null {
  const field = schema.fields.find((each) => each.jsonName === name);
  return field ?? null;
}

function unknownFieldHint(schema: DescMessage, name: string): string {
  const names = schema.fields.map((field) => field.jsonName);
  const near = didYouMean(name, names);
  if (near !== '') return near;
  return names.length === 0 ? 'No fields are allowed here.' : `Fields known here: ${names.join(', ')}.`;
}

function walkField(field: DescField, value: unknown, path: FieldPath, faults: FaultList): JsonValue | undefined {
  switch (field.fieldKind) {
    case 'scalar':
      return decodeScalar(field.scalar, value, path, faults);
    case 'enum':
      return walkEnum(field.enum, value, path, faults);
    case 'message':
      return walkMessage(field.message, value, path, faults);
    case 'list':
      return walkList(field, value, path, faults);
    case 'map':
      return walkMap(field, value, path, faults);
  }
}

function walkList(
  field: DescField & { fieldKind: 'list' },
  value: unknown,
  path: FieldPath,
  faults: FaultList,
): JsonValue | undefined {
  if (!Array.isArray(value)) {
    faults.error(path, `must be a list, but is ${describeType(value)}`, 'Begin each entry with a dash.');
    return undefined;
  }
  const result: JsonValue[] = [];
  value.forEach((child: unknown, index) => {
    const json = walkElement(field, child, [...path, index], faults);
    if (json !== undefined) result.push(json);
  });
  // Without a faulty entry the others would have wrong indexes.
  return result.length === value.length ? result : undefined;
}

const INTEGER_KEY = /^(0|[1-9]\d{0,9})$/;

function walkMap(
  field: DescField & { fieldKind: 'map' },
  value: unknown,
  path: FieldPath,
  faults: FaultList,
): JsonValue | undefined {
  if (!isObject(value)) {
    faults.error(path, `must be a map, but is ${describeType(value)}`);
    return undefined;
  }
  const result: JsonObject = {};
  for (const [key, child] of Object.entries(value)) {
    const childPath = [...path, key];
    if (field.mapKey !== ScalarType.STRING && !INTEGER_KEY.test(key)) {
      faults.unexpected(childPath, `the key ${quote(key)} must be a whole number`);
      continue;
    }
    const json = walkElement(field, child, childPath, faults);
    if (json !== undefined) result[key] = json;
  }
  return result;
}

function walkElement(
  field: DescField & { fieldKind: 'list' | 'map' },
  value: unknown,
  path: FieldPath,
  faults: FaultList,
): JsonValue | undefined {
  const kind = field.fieldKind === 'list' ? field.listKind : field.mapKind;
  if (kind === 'message' && field.message !== undefined) return walkMessage(field.message, value, path, faults);
  if (kind === 'enum' && field.enum !== undefined) return walkEnum(field.enum, value, path, faults);
  return field.scalar === undefined ? undefined : decodeScalar(field.scalar, value, path, faults);
}

function walkEnum(desc: DescEnum, value: unknown, path: FieldPath, faults: FaultList): JsonValue | undefined {
  const found = desc.values.find((each) => each.name === value);
  if (found !== undefined) {
    if (found.deprecated) faults.warn(FAULT_CODES.deprecated, path, `"${found.name}" is deprecated`);
    return found.name;
  }
  const names = desc.values.map((each) => each.name);
  faults.error(
    path,
    typeof value === 'string' ? `unknown value ${quote(value)}` : `must be a name, but is ${describeType(value)}`,
    `Allowed: ${names.join(', ')}.`,
  );
  return undefined;
}

const WRAPPER_PREFIX = 'google.protobuf.';
const WRAPPED: ReadonlyMap<string, ScalarType> = new Map([
  ['BoolValue', ScalarType.BOOL],
  ['StringValue', ScalarType.STRING],
  ['BytesValue', ScalarType.BYTES],
  ['DoubleValue', ScalarType.DOUBLE],
  ['FloatValue', ScalarType.FLOAT],
  ['Int32Value', ScalarType.INT32],
  ['UInt32Value', ScalarType.UINT32],
  ['Int64Value', ScalarType.INT64],
  ['UInt64Value', ScalarType.UINT64],
]);

/** Protobuf's well-known types have JSON forms of their own. `null` when `schema` is none of them. */
function walkWellKnown(
  schema: DescMessage,
  value: unknown,
  path: FieldPath,
  faults: FaultList,
): { readonly json: JsonValue | undefined } | null {
  if (!schema.typeName.startsWith(WRAPPER_PREFIX)) return null;
  const name = schema.typeName.slice(WRAPPER_PREFIX.length);
  const wrapped = WRAPPED.get(name);
  if (wrapped !== undefined) return { json: decodeScalar(wrapped, value, path, faults) };
  switch (name) {
    case 'Duration':
      return { json: decodeDuration(value, path, faults) };
    case 'Struct':
      if (isObject(value)) return { json: value };
      faults.error(path, `must be a map, but is ${describeType(value)}`);
      return { json: undefined };
    case 'Value':
      // Documents are read as JSON, so that every value in them is one.
      return { json: value as JsonValue };
    default:
      return null;
  }
}
