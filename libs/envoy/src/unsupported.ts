import type { DescField, DescMessage, Message } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import { FlotillaError } from '@flotilla/runtime';
import type { FieldPath } from './field-path.ts';
import { TABLES } from './tables/index.ts';
import { type FieldValue, type FieldVerdict, verdictsOf } from './tables/table.ts';

/** A field that asks for what the data plane does not do: its path from the message, and what is said of it. */
export interface Unsupported {
  readonly path: FieldPath;
  readonly reason: string;
}

/**
 * The fields of a message, and of the messages in it, that its tables do not honour and whose value asks for something.
 * What stands in an `Any` is not looked at: it is checked when it is unpacked. `table`: the name of the message's table.
 */
export function unsupportedIn(
  schema: DescMessage,
  message: Message,
  table: string = schema.typeName,
): readonly Unsupported[] {
  const found: Unsupported[] = [];
  planOf(schema, table)?.(message, [], (path, reason) => void found.push({ path: [...path], reason }));
  return found;
}

/** `path` is that of the message, and of whoever looks: it changes meanwhile. */
type Look = (message: Message, path: Path, report: Report) => void;
type Path = (string | number)[];
type Report = (path: Path, reason: string) => void;

const plans = new Map<string, Look | null>();

/** What is looked at in a message, found when the first one comes; null: nothing. */
function planOf(schema: DescMessage, name: string): Look | null {
  const known = plans.get(name);
  if (known !== undefined) return known;
  const table = TABLES[name];
  if (table === undefined && schema.fields.length > 0) throw new FlotillaError('internal', `${name} has no table`);
  const verdicts = verdictsOf(table ?? {});
  const looks = schema.fields.flatMap((field) =>
    looksAt(field, verdicts.get(field.name) ?? UNDECLARED, table?.inside?.[field.name]),
  );
  const plan: Look | null =
    looks.length === 0
      ? null
      : (message, path, report) => {
          for (const look of looks) look(message, path, report);
        };
  plans.set(name, plan);
  return plan;
}

const UNDECLARED: FieldVerdict = { verdict: 'refused', why: 'it is not known here', harmless: null };

function looksAt(field: DescField, verdict: FieldVerdict, tableInside: string | undefined): readonly Look[] {
  const read = readerOf(field);
  switch (verdict.verdict) {
    case 'hint':
      return [];
    case 'refused': {
      const isHarmless = verdict.harmless === null ? null : isValueOf(field, verdict.harmless);
      return [
        (message, path, report) => {
          const value = read(message);
          // A switch that is off asks for nothing.
          if (value === undefined || value === false || isHarmless?.(value) === true) return;
          report([...path, field.name], `is not supported: ${verdict.why}`);
        },
      ];
    }
    case 'honoured': {
      const values = verdict.never.map(({ value: never, why }): Look => {
        const isNever = isValueOf(field, never);
        return (message, path, report) => {
          if (isNever(read(message))) report([...path, field.name], `${never} is not supported: ${why}`);
        };
      });
      const below = lookBelow(field, read, tableInside);
      return below === null ? values : [...values, below];
    }
  }
}

function isValueOf(field: DescField, value: FieldValue): (set: unknown) => boolean {
  const wanted = field.enum?.values.find(({ name }) => name === value)?.number ?? value;
  return (set) => (typeof set === 'bigint' ? Number(set) : set) === wanted;
}

/** Undefined: not set, or another member of its oneof is. */
type Read = (message: Message) => unknown;

function readerOf(field: DescField): Read {
  const { localName, oneof } = field;
  // Fields of a protobuf-es message, by their local names.
  const own: Read = (message) => (message as unknown as Record<string, unknown>)[localName];
  if (oneof !== undefined) {
    return (message) => {
      const fields = message as unknown as Record<string, { case?: string; value?: unknown } | undefined>;
      const chosen = fields[oneof.localName];
      return chosen?.case === localName ? chosen.value : undefined;
    };
  }
  switch (field.fieldKind) {
    case 'message':
      return own;
    case 'list':
      return unlessEmpty(own, (value) => (value as unknown[]).length === 0);
    case 'map':
      return unlessEmpty(own, (value) => Object.keys(value as object).length === 0);
    default:
      return field.presence === FeatureSet_FieldPresence.IMPLICIT ? unlessEmpty(own, isZero) : own;
  }
}

function unlessEmpty(read: Read, isEmpty: (value: unknown) => boolean): Read {
  return (message) => {
    const value = read(message);
    return isEmpty(value) ? undefined : value;
  };
}

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === 0n || value === false || (value as Uint8Array).length === 0;
}

/** Looks into the messages of a field; null: it holds none of Envoy's. */
function lookBelow(field: DescField, read: Read, tableInside: string | undefined): Look | null {
  const schema = field.message;
  if (schema === undefined || schema.typeName.startsWith('google.protobuf.')) return null;
  const name = tableInside ?? schema.typeName;
  // Found when there is one: a bootstrap reaches every message, and holds few of them.
  let plan: Look | null | undefined;
  const lookAt = (value: unknown, path: Path, step: string | number, report: Report): void => {
    path.push(step);
    plan?.(value as Message, path, report);
    path.pop();
  };
  return (message, path, report) => {
    const value = read(message);
    if (value === undefined) return;
    plan = plan === undefined ? planOf(schema, name) : plan;
    if (plan === null) return;
    if (field.fieldKind === 'message') return lookAt(value, path, field.name, report);
    path.push(field.name);
    if (field.fieldKind === 'list') (value as Message[]).forEach((item, index) => lookAt(item, path, index, report));
    else for (const [key, item] of Object.entries(value as object)) lookAt(item, path, key, report);
    path.pop();
  };
}
