import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  fromJson,
  getOption,
  type JsonObject,
  type JsonValue,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { type DescriptorProto, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { isObject, FlotillaError } from '@flotilla/runtime';
import { http } from '@flotilla/wire/google/api/annotations_pb.js';
import type { HttpRule } from '@flotilla/wire/google/api/http_pb.js';
import { StatusSchema } from '@flotilla/wire/google/rpc/status_pb.js';
import { inField, refuse } from '@flotilla/envoy';
import { compilePathTemplate, type PathTemplate, type PathValues } from './path-template.ts';

export interface PrintOptions {
  readonly hasWhitespace: boolean;
  readonly printsDefaults: boolean;
  readonly enumsAsNumbers: boolean;
  readonly protoNames: boolean;
}

/** A gRPC method that a request of REST was found to mean. */
export interface TranscodedCall {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly isServerStreaming: boolean;
  /** The request's messages. Throws `invalid` when body, path or query do not fit the method. */
  encodeRequest(body: Buffer): Uint8Array[];
  /** A response's message as JSON. Throws `invalid` for bytes that are not one. */
  decodeResponse(message: Uint8Array): string;
}

export type Lookup =
  | { readonly kind: 'call'; readonly call: TranscodedCall }
  | { readonly kind: 'unknown-method' }
  | { readonly kind: 'unknown-parameter'; readonly name: string };

/** A service definition, read: finds calls by HTTP method and path. */
export interface Transcoding {
  find(method: string, path: string): Lookup;
  /** A status as JSON: as `grpc-status-details-bin` has it, else of its code and message. */
  printStatus(details: Uint8Array | null, code: number, message: string): string;
}

interface Binding {
  readonly verb: string;
  readonly match: PathTemplate;
  readonly rank: string;
  readonly method: DescMethod;
  /** `*`: the whole message; empty: there is none. */
  readonly body: string;
  readonly responseBody: string;
}

export interface TranscodingOptions {
  readonly descriptorSet: Uint8Array;
  readonly services: readonly string[];
  /** Methods without a rule are called by POST to their gRPC path. */
  readonly mapsAll: boolean;
  readonly ignoredParameters: ReadonlySet<string>;
  readonly ignoresUnknownParameters: boolean;
  /** `+` in a query is a space. */
  readonly unescapesPlus: boolean;
  readonly print: PrintOptions;
}

/** Reads a descriptor set (`protoc --include_imports --descriptor_set_out`). Throws `invalid`. */
export function compileTranscoding(options: TranscodingOptions): Transcoding {
  const registry = readRegistry(options.descriptorSet);
  const bindings = options.services
    .flatMap((name) => {
      const service = registry.getService(name) ?? refuse('services', `"${name}" is not in the descriptor set`);
      return service.methods.flatMap((method) =>
        inField(`${name}.${method.name}`, () => bindingsOf(method, options.mapsAll)),
      );
    })
    // The most literal template goes first.
    .toSorted((left, right) => (left.rank < right.rank ? -1 : left.rank > right.rank ? 1 : 0));
  return {
    find: (method, path) => find(bindings, method, path, registry, options),
    printStatus(details, code, message) {
      const plain = create(StatusSchema, { code, message });
      try {
        return print(
          decode(StatusSchema, details ?? toBinary(StatusSchema, plain), registry, options.print),
          options.print,
        );
      } catch {
        // Details of types that the service's definition does not have.
        return print(decode(StatusSchema, toBinary(StatusSchema, plain), registry, options.print), options.print);
      }
    },
  };
}

function readRegistry(bytes: Uint8Array): FileRegistry {
  try {
    const set = fromBinary(FileDescriptorSetSchema, bytes);
    // protoc writes JSON names; not everybody does.
    for (const { messageType } of set.file) nameFields(messageType);
    return createFileRegistry(set);
  } catch (error) {
    throw FlotillaError.from(error, 'invalid').within('proto_descriptor');
  }
}

function nameFields(messages: readonly DescriptorProto[]): void {
  for (const { field, nestedType } of messages) {
    for (const each of field)
      each.jsonName ||= each.name.replace(/_+([a-z0-9]?)/g, (_match, next: string) => next.toUpperCase());
    nameFields(nestedType);
  }
}

function bindingsOf(method: DescMethod, mapsAll: boolean): Binding[] {
  for (const type of [method.input, method.output]) {
    if (type.typeName === 'google.api.HttpBody') refuse(type.typeName, 'is not supported');
  }
  const rule = getOption(method, http);
  const direct = rule.pattern.case === undefined ? [] : [rule, ...rule.additionalBindings];
  const bindings = direct.map((each) => bindingOf(method, each));
  if (bindings.length > 0 || !mapsAll) return bindings;
  const { match, rank } = compilePathTemplate(`/${method.parent.typeName}/${method.name}`);
  return [{ verb: 'POST', match, rank, method, body: '*', responseBody: '' }];
}

function bindingOf(method: DescMethod, { pattern, body, responseBody }: HttpRule): Binding {
  const [verb, template] =
    pattern.case === 'custom'
      ? [pattern.value.kind, pattern.value.path]
      : [(pattern.case ?? '').toUpperCase(), pattern.value ?? ''];
  if (body !== '' && body !== '*') fieldOf(method.input, body);
  if (responseBody !== '') fieldOf(method.output, responseBody);
  return { verb, ...compilePathTemplate(template), method, body, responseBody };
}

function find(
  bindings: readonly Binding[],
  method: string,
  target: string,
  registry: FileRegistry,
  options: TranscodingOptions,
): Lookup {
  const [path = '', query = ''] = splitOnce(target, '?');
  for (const binding of bindings) {
    if (binding.verb !== method) continue;
    const values = binding.match(path);
    if (values === null) continue;
    const parameters = [...new URLSearchParams(options.unescapesPlus ? query : query.replaceAll('+', '%2B'))].filter(
      ([name]) => !options.ignoredParameters.has(name),
    );
    const unknown = parameters.find(([name]) => !hasField(binding.method.input, name));
    if (unknown !== undefined && !options.ignoresUnknownParameters) {
      return { kind: 'unknown-parameter', name: unknown[0] };
    }
    const known = parameters.filter(([name]) => hasField(binding.method.input, name));
    return { kind: 'call', call: callOf(binding, [...values, ...known], registry, options.print) };
  }
  return { kind: 'unknown-method' };
}

function callOf(
  { method, body, responseBody }: Binding,
  values: PathValues,
  registry: FileRegistry,
  printing: PrintOptions,
): TranscodedCall {
  const isStream = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    isServerStreaming: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    encodeRequest(bytes) {
      const json = body === '' || bytes.length === 0 ? undefined : parseJson(bytes);
      const bodies = isStream && json !== undefined ? (Array.isArray(json) ? json : [json]) : [json];
      return bodies.map((each) => encode(method.input, requestJson(method.input, each, body, values), registry));
    },
    decodeResponse(message) {
      const json = decode(method.output, message, registry, printing);
      if (responseBody === '') return print(json, printing);
      const { jsonName, name } = fieldOf(method.output, responseBody);
      const value = (json as JsonObject)[printing.protoNames ? name : jsonName]; // a message is printed as an object
      return print(value ?? null, printing);
    },
  };
}

/** The message as JSON: the body, over it what path and query say. */
function requestJson(type: DescMessage, json: JsonValue | undefined, body: string, values: PathValues): JsonObject {
  let message: JsonObject = {};
  if (body === '*' && json !== undefined) {
    if (!isObject(json)) throw new FlotillaError('invalid', 'the body is not a JSON object');
    message = { ...json };
  } else if (body !== '' && json !== undefined) message = { [fieldOf(type, body).jsonName]: json };
  for (const [path, text] of values) place(message, type, path.split('.'), text);
  return message;
}

function place(message: JsonObject, type: DescMessage, [name = '', ...rest]: readonly string[], text: string): void {
  const field = fieldOf(type, name);
  const key = field.jsonName;
  if (rest.length > 0) {
    if (field.fieldKind !== 'message') throw new FlotillaError('invalid', `"${name}" is not a message`);
    // The body may have it under either of its names.
    const before = message[key] ?? message[field.name];
    const inner: JsonObject = isObject(before) ? { ...before } : {};
    if (key !== field.name) Reflect.deleteProperty(message, field.name);
    message[key] = inner;
    place(inner, field.message, rest, text);
    return;
  }
  const value = scalarOf(field, text);
  const before = message[key];
  if (field.fieldKind === 'list') message[key] = [...(Array.isArray(before) ? before : []), value];
  else message[key] = value;
}

/** A text as the JSON form of its field; numbers may be texts in ProtoJSON. */
function scalarOf(field: DescField, text: string): JsonValue {
  const isBool = 'scalar' in field && field.scalar === SCALAR_BOOL;
  if (isBool) return text === 'true' ? true : text === 'false' ? false : text;
  const isEnum = field.fieldKind === 'enum' || (field.fieldKind === 'list' && field.listKind === 'enum');
  return isEnum && /^-?\d+$/.test(text) ? Number(text) : text;
}

/** `ScalarType.BOOL`. */
const SCALAR_BOOL = 8;

function hasField(type: DescMessage, path: string): boolean {
  const [name = '', ...rest] = path.split('.');
  const field = type.fields.find((each) => each.name === name || each.jsonName === name);
  if (field === undefined) return false;
  if (rest.length === 0) return field.fieldKind !== 'message' && field.fieldKind !== 'map';
  return field.fieldKind === 'message' && hasField(field.message, rest.join('.'));
}

function fieldOf(type: DescMessage, name: string): DescField {
  const field = type.fields.find((each) => each.name === name || each.jsonName === name);
  if (field === undefined) throw new FlotillaError('invalid', `${type.typeName} has no field "${name}"`);
  return field;
}

function parseJson(bytes: Buffer): JsonValue {
  try {
    return JSON.parse(bytes.toString('utf8')) as JsonValue;
  } catch (error) {
    throw FlotillaError.from(error, 'invalid').within('the body is not JSON');
  }
}

function encode(type: DescMessage, json: JsonObject, registry: FileRegistry): Uint8Array {
  try {
    return toBinary(type, fromJson(type, json, { registry }));
  } catch (error) {
    throw FlotillaError.from(error, 'invalid');
  }
}

function decode(type: DescMessage, bytes: Uint8Array, registry: FileRegistry, printing: PrintOptions): JsonValue {
  try {
    return toJson(type, fromBinary(type, bytes), {
      registry,
      alwaysEmitImplicit: printing.printsDefaults,
      enumAsInteger: printing.enumsAsNumbers,
      useProtoFieldName: printing.protoNames,
    });
  } catch (error) {
    throw FlotillaError.from(error, 'invalid');
  }
}

function print(json: JsonValue, { hasWhitespace }: PrintOptions): string {
  return hasWhitespace ? `${JSON.stringify(json, null, 1)}\n` : JSON.stringify(json);
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
