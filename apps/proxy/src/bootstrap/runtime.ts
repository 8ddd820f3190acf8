import { isObject } from '@flotilla/runtime';
import type { JsonObject, JsonValue, Registry } from '@bufbuild/protobuf';
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect';
import { type Any, AnySchema, anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { type Bootstrap, BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';

/** A key of a static layer and its value, a number, a truth value or a fraction. */
export interface RuntimeEntry {
  readonly key: string;
  readonly layer: string;
  readonly value: JsonValue;
}

/** Entries of all static layers in their order; a later one of the same key counts. */
export function runtimeEntries({ layeredRuntime }: Bootstrap): RuntimeEntry[] {
  return (layeredRuntime?.layers ?? []).flatMap(({ name, layerSpecifier }) =>
    layerSpecifier.case === 'staticLayer'
      ? flatten(layerSpecifier.value, '').map(([key, value]) => ({ key, layer: name, value }))
      : [],
  );
}

/** Dotted keys of a layer: a struct within stands for a prefix, except a fraction, which has a numerator. */
function flatten(layer: JsonObject, prefix: string): [string, JsonValue][] {
  return Object.entries(layer).flatMap(([name, value]): [string, JsonValue][] => {
    const key = prefix + name;
    return isObject(value) && !('numerator' in value) ? flatten(value, `${key}.`) : [[key, value]];
  });
}

/** Names that Envoy itself looks up, wherever a configuration names them or not. */
const OWN_PREFIXES =
  /^(envoy|re2|overload|upstream|http|tcp|health_check|outlier_detection|circuit_breakers|fault|ratelimit|tracing|conn_pool|listener|cluster_manager|csrf|cors|redis|mongo|admin|router|load_balancing)\./;

/** The key is none that only counts where a configuration names it, as a `runtime_key`. */
export function isEnvoysKey(key: string): boolean {
  return OWN_PREFIXES.test(key);
}

/** Puts the values of the static layers in the place of the defaults where a field names their keys. */
export function applyRuntime(bootstrap: Bootstrap, registry: Registry): void {
  const values = new Map(runtimeEntries(bootstrap).map(({ key, value }) => [key, value]));
  if (values.size > 0) new Visitor(values, registry).visit(reflect(BootstrapSchema, bootstrap));
}

class Visitor {
  readonly #values: ReadonlyMap<string, JsonValue>;
  readonly #registry: Registry;

  constructor(values: ReadonlyMap<string, JsonValue>, registry: Registry) {
    this.#values = values;
    this.#registry = registry;
  }

  /** True when something was changed. */
  visit(message: ReflectMessage): boolean {
    if (message.desc.typeName === AnySchema.typeName) return this.#visitAny(message.message as Any);
    let hasChanged = this.#resolve(message);
    for (const field of message.fields) {
      if (!message.isSet(field)) continue;
      if (field.fieldKind === 'message') hasChanged = this.visit(message.get(field)) || hasChanged;
      else if (field.fieldKind === 'list' && field.listKind === 'message') {
        for (const item of message.get(field)) hasChanged = this.visit(item as ReflectMessage) || hasChanged;
      } else if (field.fieldKind === 'map' && field.mapKind === 'message') {
        for (const item of message.get(field).values()) hasChanged = this.visit(item as ReflectMessage) || hasChanged;
      }
    }
    return hasChanged;
  }

  #visitAny(any: Any): boolean {
    const message = anyUnpack(any, this.#registry);
    const schema = message === undefined ? undefined : this.#registry.getMessage(message.$typeName);
    if (message === undefined || schema === undefined || !this.visit(reflect(schema, message))) return false;
    any.value = anyPack(schema, message).value;
    return true;
  }

  #resolve({ message }: ReflectMessage): boolean {
    if (!('runtimeKey' in message) || typeof message.runtimeKey !== 'string') return false;
    const value = this.#values.get(message.runtimeKey);
    if (value === undefined) return false;
    const defaultValue = defaultOf(message.$typeName, value);
    if (defaultValue === undefined) return false;
    Object.assign(message, { defaultValue });
    return true;
  }
}

/** The value in the form of the field's default; undefined: it is none for such a field, which keeps its own (Envoy). */
function defaultOf(typeName: string, value: JsonValue): unknown {
  switch (typeName) {
    case 'envoy.config.core.v3.RuntimeFractionalPercent':
      if (isObject(value))
        return fraction(Number(value['numerator']), DENOMINATORS.indexOf(String(value['denominator'])));
      return typeof value === 'number' ? fraction(Math.min(100, value), 0) : undefined;
    case 'envoy.config.core.v3.RuntimePercent':
      return typeof value === 'number' ? { $typeName: 'envoy.type.v3.Percent', value } : undefined;
    case 'envoy.config.core.v3.RuntimeUInt32':
    case 'envoy.config.core.v3.RuntimeDouble':
      return typeof value === 'number' ? value : undefined;
    case 'envoy.config.core.v3.RuntimeFeatureFlag':
      return typeof value === 'boolean' ? value : undefined;
    default:
      return undefined;
  }
}

const DENOMINATORS = ['HUNDRED', 'TEN_THOUSAND', 'MILLION'];

function fraction(numerator: number, denominator: number): unknown {
  return { $typeName: 'envoy.type.v3.FractionalPercent', numerator, denominator: Math.max(0, denominator) };
}
