import { type DescField, type DescMessage, isFieldSet, type Message } from '@bufbuild/protobuf';
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
  switch (verdict.verdict) {
    case 'hint':
      return [];
    case 'refused':
      return [
        (message, path, report) => {
          if (asksFor(message, field, verdict.harmless)) {
            report([...path, field.name], `is not supported: ${verdict.why}`);
          }
        },
      ];
    case 'honoured': {
      const values = verdict.never.map(({ value, why }): Look => {
        return (message, path, report) => {
          if (isFieldSet(message, field) && isValue(message, field, value)) {
            report([...path, field.name], `${value} is not supported: ${why}`);
          }
        };
      });
      const below = lookBelow(field, tableInside);
      return below === null ? values : [...values, below];
    }
  }
}

/** A switch that is off asks for nothing. */
function asksFor(message: Message, field: DescField, harmless: FieldValue | null): boolean {
  if (!isFieldSet(message, field) || valueOf(message, field) === false) return false;
  return harmless === null || !isValue(message, field, harmless);
}

function isValue(message: Message, field: DescField, value: FieldValue): boolean {
  const set = valueOf(message, field);
  if (field.enum !== undefined && typeof set === 'number') return field.enum.value[set]?.name === value;
  return typeof set === 'bigint' ? Number(set) === value : set === value;
}

/** Undefined: not set, or another member of its oneof is. */
function valueOf(message: Message, field: DescField): unknown {
  // Fields of a protobuf-es message, by their local names.
  const fields = message as unknown as Record<string, unknown>;
  if (field.oneof === undefined) return fields[field.localName];
  const chosen = fields[field.oneof.localName] as { case?: string; value?: unknown } | undefined;
  return chosen?.case === field.localName ? chosen.value : undefined;
}

/** Looks into the messages of a field; null: it holds none of Envoy's. */
function lookBelow(field: DescField, tableInside: string | undefined): Look | null {
  const schema = field.message;
  if (schema === undefined || schema.typeName.startsWith('google.protobuf.')) return null;
  const name = tableInside ?? schema.typeName;
  const look: Look = (message, path, report) => planOf(schema, name)?.(message, path, report);
  const lookAt = (value: unknown, path: Path, step: string | number, report: Report): void => {
    path.push(step);
    look(value as Message, path, report);
    path.pop();
  };
  return (message, path, report) => {
    const value = valueOf(message, field);
    if (value === undefined) return;
    path.push(field.name);
    if (field.fieldKind === 'list') (value as Message[]).forEach((item, index) => lookAt(item, path, index, report));
    else if (field.fieldKind === 'map') {
      for (const [key, item] of Object.entries(value as Record<string, Message>)) lookAt(item, path, key, report);
    } else look(value as Message, path, report);
    path.pop();
  };
}
