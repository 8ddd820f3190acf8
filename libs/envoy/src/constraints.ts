import {
  type DescField,
  type DescMessage,
  type DescOneof,
  fromBinary,
  getOption,
  hasOption,
  isFieldSet,
  type Message,
  type MessageShape,
} from '@bufbuild/protobuf';
import { type Any, anyIs, type Duration, isWrapperDesc } from '@bufbuild/protobuf/wkt';
import { FlotillaError } from '@flotilla/runtime';
import {
  disabled,
  type DurationRules,
  type EnumRules,
  type FieldRules,
  file_validate_validate,
  ignored,
  KnownRegex,
  required,
  rules as rulesOption,
  type StringRules,
} from '@flotilla/wire/validate/validate_pb.js';
import { type FieldPath, formatPath } from './field-path.ts';
import { unsupportedIn } from './unsupported.ts';

const UTF8 = new TextEncoder();

/** A field that is not as Envoy's API wants it: its path from the message, and what is wrong. */
export interface Violation {
  readonly path: FieldPath;
  readonly reason: string;
}

/**
 * Where a message breaks the constraints that stand beside its fields in Envoy's API (`validate.rules`, the options of
 * protoc-gen-validate). As in Envoy what stands in an `Any` is not looked at: it is checked when it is unpacked.
 */
export function violationsOf(schema: DescMessage, message: Message): readonly Violation[] {
  const found: Violation[] = [];
  planOf(schema)?.(message, [], (path, reason) => void found.push({ path: [...path], reason }));
  return found;
}

/**
 * Throws `invalid` with the first violation, or the first field that asks for what the data plane does not do. `table`:
 * the name of the message's table, where it has a special one.
 */
export function requireValid(schema: DescMessage, message: Message, table = schema.typeName): void {
  const first = violationsOf(schema, message)[0] ?? unsupportedIn(schema, message, table)[0];
  if (first !== undefined) throw new FlotillaError('invalid', `${formatPath(first.path)}: ${first.reason}`);
}

/**
 * What an `Any` holds, checked; undefined when that is of another type. Throws `invalid` for bytes that are not of
 * the type, that break its constraints or ask for what the data plane does not do. `table` as for `requireValid`.
 */
export function unpackValid<D extends DescMessage>(any: Any, schema: D, table?: string): MessageShape<D> | undefined {
  if (!anyIs(any, schema)) return undefined;
  const message = decodeBytes(schema, any.value);
  requireValid(schema, message, table);
  return message;
}

/** Throws `invalid` for bytes that are not of the type. */
export function decodeBytes<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new FlotillaError('invalid', `cannot decode ${schema.typeName}`, { cause: error });
  }
}

/** `path` is that of the value, and of whoever checks: it changes while checks go on. */
type Check = (value: unknown, path: Path, report: Report) => void;
type Path = (string | number)[];
type Report = (path: Path, reason: string) => void;

function checkBelow(check: Check | null, value: unknown, path: Path, step: string | number, report: Report): void {
  if (check === null) return;
  path.push(step);
  check(value, path, report);
  path.pop();
}

function reportBelow(path: Path, step: string | number, reason: string, report: Report): void {
  checkBelow((_value, here) => report(here, reason), undefined, path, step, report);
}

const RULES = file_validate_validate.messages;
const plans = new Map<string, Check | null>();

/** The checks of a message, made when the first one comes; null: there are none. */
function planOf(schema: DescMessage): Check | null {
  const known = plans.get(schema.typeName);
  if (known !== undefined) return known;
  const checks: Check[] = [];
  if (!getOption(schema, disabled) && !getOption(schema, ignored)) {
    for (const oneof of schema.oneofs) if (getOption(oneof, required)) checks.push(checkOneof(oneof));
    for (const field of schema.fields) {
      const checkField = fieldCheck(field);
      if (checkField !== null) checks.push(checkField);
    }
  }
  const plan: Check | null =
    checks.length === 0
      ? null
      : (value, path, report) => {
          for (const check of checks) check(value, path, report);
        };
  plans.set(schema.typeName, plan);
  return plan;
}

function checkOneof(oneof: DescOneof): Check {
  const names = oneof.fields.map(({ name }) => name).join(', ');
  return (message, path, report) => {
    // The shape of a protobuf-es oneof.
    const { case: chosen } = (message as Record<string, { case?: string }>)[oneof.localName] ?? {};
    if (chosen === undefined) reportBelow(path, oneof.name, `is missing: set one of ${names}`, report);
  };
}

function fieldCheck(field: DescField): Check | null {
  const rules = hasOption(field, rulesOption) ? getOption(field, rulesOption) : null;
  const check = valueCheck(field, rules);
  const isRequired = rules?.message?.required === true || isRequiredMessage(rules);
  if (check === null && !isRequired) return null;
  return (message, path, report) => {
    const value = valueOf(field, message);
    // A scalar without presence is never undefined: its zero value is checked.
    if (value !== undefined) checkBelow(check, value, path, field.name, report);
    else if (isRequired && field.oneof === undefined) reportBelow(path, field.name, 'is missing', report);
  };
}

function isRequiredMessage(rules: FieldRules | null): boolean {
  const type = rules?.type;
  return (type?.case === 'any' || type?.case === 'duration' || type?.case === 'timestamp') && type.value.required;
}

/** Undefined: not set, or another member of its oneof is. */
function valueOf(field: DescField, message: unknown): unknown {
  // Fields of a protobuf-es message, by their local names.
  const fields = message as Record<string, unknown>;
  if (field.oneof === undefined) return fields[field.localName];
  const chosen = fields[field.oneof.localName] as { case?: string; value?: unknown } | undefined;
  return chosen?.case === field.localName ? chosen.value : undefined;
}

function valueCheck(field: DescField, rules: FieldRules | null): Check | null {
  switch (field.fieldKind) {
    case 'scalar':
      return rules === null ? null : scalarCheck(rules);
    case 'enum':
      return rules?.type.case === 'enum' ? enumCheck(rules.type.value, field.enum.values) : null;
    case 'message':
      return messageCheck(field.message, rules);
    case 'list':
      return listCheck(field, rules);
    case 'map':
      return mapCheck(field, rules);
  }
}

function messageCheck(schema: DescMessage, rules: FieldRules | null): Check | null {
  if (rules?.message?.skip === true) return null;
  // protobuf-es gives the value of a wrapper in place of it.
  if (isWrapperDesc(schema)) return rules?.type.case === undefined ? null : scalarCheck(rules);
  if (schema.typeName === 'google.protobuf.Duration') {
    return rules?.type.case === 'duration' ? durationCheck(rules.type.value) : null;
  }
  if (rules !== null && !KNOWN_MESSAGE_RULES.has(rules.type.case ?? '')) throw unknownRule(rules);
  // Found when there is one: a bootstrap reaches every message of the API, and holds few of them.
  return schema.typeName.startsWith('google.protobuf.')
    ? null
    : (value, path, report) => planOf(schema)?.(value, path, report);
}

/** Beside the rules of the message itself; that an `Any` is there is checked by whoever holds it. */
const KNOWN_MESSAGE_RULES: ReadonlySet<string> = new Set(['', 'any']);

function listCheck(field: DescField & { fieldKind: 'list' }, rules: FieldRules | null): Check | null {
  const list = rules?.type.case === 'repeated' ? rules.type.value : null;
  requireLookedAt(list);
  const items = list?.items ?? null;
  const checkItem =
    field.listKind === 'message'
      ? messageCheck(field.message, items)
      : field.listKind === 'enum'
        ? items?.type.case === 'enum'
          ? enumCheck(items.type.value, field.enum.values)
          : null
        : items === null
          ? null
          : scalarCheck(items);
  if (list === null && checkItem === null) return null;
  const { min, max } = countsOf(list?.minItems, list?.maxItems);
  return (value, path, report) => {
    // A list of a protobuf-es message.
    const values = value as readonly unknown[];
    if (values.length === 0 && list?.ignoreEmpty === true) return;
    if (values.length < min) report(path, values.length === 0 ? 'is empty' : `has fewer than ${min} entries`);
    if (values.length > max) report(path, `has more than ${max} entries`);
    if (list?.unique === true && new Set(values).size < values.length) report(path, 'names something twice');
    if (checkItem === null) return;
    for (const [index, item] of values.entries()) checkBelow(checkItem, item, path, index, report);
  };
}

function mapCheck(field: DescField & { fieldKind: 'map' }, rules: FieldRules | null): Check | null {
  const map = rules?.type.case === 'map' ? rules.type.value : null;
  requireLookedAt(map);
  const checkKey = map?.keys === undefined ? null : scalarCheck(map.keys);
  const values = map?.values ?? null;
  const checkValue =
    field.mapKind === 'message' ? messageCheck(field.message, values) : values === null ? null : scalarCheck(values);
  if (map === null && checkValue === null) return null;
  const { min, max } = countsOf(map?.minPairs, map?.maxPairs);
  return (value, path, report) => {
    // A map of a protobuf-es message.
    const pairs = Object.entries(value as Record<string, unknown>);
    if (pairs.length < min) report(path, pairs.length === 0 ? 'is empty' : `has fewer than ${min} entries`);
    if (pairs.length > max) report(path, `has more than ${max} entries`);
    for (const [key, item] of pairs) {
      checkBelow(checkKey, key, path, key, report);
      checkBelow(checkValue, item, path, key, report);
    }
  };
}

function countsOf(min: bigint | undefined, max: bigint | undefined): { readonly min: number; readonly max: number } {
  return { min: Number(min ?? 0n), max: max === undefined || max === 0n ? Infinity : Number(max) };
}

function scalarCheck({ type }: FieldRules): Check {
  requireLookedAt(type.value);
  switch (type.case) {
    case 'string':
      return stringCheck(type.value);
    case 'bytes': {
      const { minLen, maxLen } = type.value;
      return (value, path, report) => {
        const { length } = value as Uint8Array; // a bytes field
        if (length < Number(minLen)) report(path, length === 0 ? 'is empty' : `is shorter than ${minLen} bytes`);
        if (maxLen > 0n && length > Number(maxLen)) report(path, `is longer than ${maxLen} bytes`);
      };
    }
    case 'bool': {
      const wanted = type.value.const;
      return (value, path, report) => {
        if (value !== wanted) report(path, `must be ${wanted}`);
      };
    }
    case 'float':
    case 'double':
    case 'int32':
    case 'int64':
    case 'uint32':
    case 'uint64':
    case 'sint32':
    case 'sint64':
    case 'fixed32':
    case 'fixed64':
    case 'sfixed32':
    case 'sfixed64':
      return numberCheck(type.value);
    default:
      throw new FlotillaError('internal', `constraints of kind ${type.case ?? 'none'} are not known for a scalar`);
  }
}

interface NumberRules<N extends number | bigint = number | bigint> {
  readonly const: N;
  readonly lt: N;
  readonly lte: N;
  readonly gt: N;
  readonly gte: N;
  readonly in: readonly N[];
  readonly notIn: readonly N[];
  readonly ignoreEmpty: boolean;
}

function numberCheck(rules: NumberRules): Check {
  const bounds = boundsOf(rules, (bound) => bound);
  const only = has(rules, 'const') ? [rules.const] : rules.in;
  return (value, path, report) => {
    const number = value as number | bigint; // a numeric field
    if (rules.ignoreEmpty && (number === 0 || number === 0n)) return;
    // Numbers of 64 bits are compared with those of other sizes as they are.
    if (!bounds.holds(number)) report(path, `${number} must be ${bounds.text}`);
    if (only.length > 0 && !only.includes(number)) report(path, `${number} must be ${only.join(' or ')}`);
    if (rules.notIn.includes(number)) report(path, `must not be ${number}`);
  };
}

interface Bounds<V> {
  holds(value: V): boolean;
  readonly text: string;
}

/** The bounds that are set. `of` makes what can be compared of a bound. */
function boundsOf<B>(
  rules: { readonly gt?: B; readonly gte?: B; readonly lt?: B; readonly lte?: B },
  of: (bound: B) => number | bigint,
  unit = '',
): Bounds<number | bigint> {
  const bound = (key: 'gt' | 'gte' | 'lt' | 'lte'): number | bigint | null => {
    const set = has(rules, key) ? rules[key] : undefined;
    return set === undefined ? null : of(set);
  };
  const [gt, gte, lt, lte] = [bound('gt'), bound('gte'), bound('lt'), bound('lte')];
  const texts = [
    [gt, 'more than'],
    [gte, 'at least'],
    [lt, 'less than'],
    [lte, 'at most'],
  ] as const;
  return {
    holds: (value) =>
      (gt === null || value > gt) &&
      (gte === null || value >= gte) &&
      (lt === null || value < lt) &&
      (lte === null || value <= lte),
    text: texts.flatMap(([limit, words]) => (limit === null ? [] : [`${words} ${limit}${unit}`])).join(' and '),
  };
}

function durationCheck(rules: DurationRules): Check {
  requireLookedAt(rules);
  const bounds = boundsOf(rules, nanoseconds, ' ns');
  const isPositive = rules.gt !== undefined && nanoseconds(rules.gt) === 0n;
  return (value, path, report) => {
    const duration = value as Duration; // a duration field
    if (bounds.holds(nanoseconds(duration))) return;
    report(path, isPositive ? 'must be longer than 0' : `must be ${bounds.text}`);
  };
}

function nanoseconds({ seconds, nanos }: Duration): bigint {
  return seconds * 1_000_000_000n + BigInt(nanos);
}

function enumCheck(rules: EnumRules, known: readonly { readonly number: number; readonly name: string }[]): Check {
  requireLookedAt(rules);
  const names = new Map(known.map(({ number, name }) => [number, name]));
  const only = has(rules, 'const') ? [rules.const] : rules.in;
  return (value, path, report) => {
    const number = value as number; // an enum field
    const name = names.get(number) ?? String(number);
    if (rules.definedOnly && !names.has(number)) report(path, `${number} is not a value of it`);
    if ((only.length > 0 && !only.includes(number)) || rules.notIn.includes(number))
      report(path, `must not be ${name}`);
  };
}

/* As protoc-gen-validate has them: the strict ones are of RFC 7230, section 3.2. */
const KNOWN_TEXTS: Readonly<Record<KnownRegex, readonly [strict: RegExp, lenient: RegExp, what: string] | null>> = {
  [KnownRegex.UNKNOWN]: null,
  [KnownRegex.HTTP_HEADER_NAME]: [/^:?[0-9a-zA-Z!#$%&'*+\-.^_|~`]+$/, /^[^\0\n\r]*$/, 'a name of a header'],
  [KnownRegex.HTTP_HEADER_VALUE]: [/^[^\x00-\x08\x0a-\x1f\x7f]*$/, /^[^\0\n\r]*$/, 'a value of a header'],
};

function stringCheck(rules: StringRules): Check {
  const { minLen, maxLen, minBytes, maxBytes, prefix, suffix, ignoreEmpty, wellKnown } = rules;
  const only = has(rules, 'const') ? [rules.const] : rules.in;
  // eslint-disable-next-line no-restricted-syntax -- written in Envoy's .proto files
  const pattern = rules.pattern === '' ? null : new RegExp(rules.pattern);
  const known = wellKnown.case === 'wellKnownRegex' ? KNOWN_TEXTS[wellKnown.value] : null;
  const isStrict = !has(rules, 'strict') || rules.strict;
  return (value, path, report) => {
    const text = value as string; // a string field
    if (text === '' && ignoreEmpty) return;
    if (text === '' && (minLen > 0n || minBytes > 0n)) return report(path, 'is empty');
    if (text.length < Number(minLen)) report(path, `is shorter than ${minLen} characters`);
    if (maxLen > 0n && text.length > Number(maxLen)) report(path, `is longer than ${maxLen} characters`);
    if (minBytes + maxBytes > 0n) {
      const bytes = UTF8.encode(text).length;
      if (bytes < Number(minBytes)) report(path, `is shorter than ${minBytes} bytes`);
      if (maxBytes > 0n && bytes > Number(maxBytes)) report(path, `is longer than ${maxBytes} bytes`);
    }
    if (!text.startsWith(prefix)) report(path, `"${text}" must begin with "${prefix}"`);
    if (!text.endsWith(suffix)) report(path, `"${text}" must end with "${suffix}"`);
    if (only.length > 0 && !only.includes(text)) report(path, `"${text}" must be ${only.join(' or ')}`);
    if (rules.notIn.includes(text)) report(path, `must not be "${text}"`);
    if (pattern?.test(text) === false) report(path, `"${text}" does not match ${rules.pattern}`);
    if (known?.[isStrict ? 0 : 1].test(text) === false) report(path, `${JSON.stringify(text)} is not ${known[2]}`);
  };
}

/** What the checks above read, by kind of rules. */
const LOOKED_AT: Readonly<Record<string, ReadonlySet<string>>> = {
  StringRules: new Set(
    'const min_len max_len min_bytes max_bytes pattern prefix suffix in not_in well_known_regex strict ignore_empty'.split(
      ' ',
    ),
  ),
  BytesRules: new Set(['min_len', 'max_len']),
  BoolRules: new Set(['const']),
  EnumRules: new Set(['const', 'defined_only', 'in', 'not_in']),
  RepeatedRules: new Set(['min_items', 'max_items', 'unique', 'items', 'ignore_empty']),
  MapRules: new Set(['min_pairs', 'max_pairs', 'keys', 'values']),
  DurationRules: new Set(['required', 'gt', 'gte', 'lt', 'lte']),
};
const LOOKED_AT_OF_NUMBERS: ReadonlySet<string> = new Set('const lt lte gt gte in not_in ignore_empty'.split(' '));

/** Throws `internal` for a rule that nothing checks: it would be passed over in silence. */
function requireLookedAt(rules: Message | null | undefined): void {
  if (rules === null || rules === undefined) return;
  const schema = RULES.find(({ typeName }) => typeName === rules.$typeName);
  const known = LOOKED_AT[schema?.name ?? ''] ?? LOOKED_AT_OF_NUMBERS;
  const other = schema?.fields.find((field) => isFieldSet(rules, field) && !known.has(field.name));
  if (other === undefined) return;
  throw new FlotillaError('internal', `no check looks at ${schema?.name ?? ''}.${other.name}`);
}

/** A field of a proto2 message, as the rules are, that is set. */
function has(message: object, field: string): boolean {
  return Object.hasOwn(message, field);
}

function unknownRule({ type }: FieldRules): FlotillaError {
  return new FlotillaError('internal', `constraints of kind ${type.case ?? 'none'} are not known for a message`);
}
