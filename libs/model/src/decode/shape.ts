import { FaultList } from './fault.ts';
import type { FieldPath } from './fault.ts';
import { describeType, quote } from './scalar.ts';
import { didYouMean } from './suggest.ts';
import { isObject } from '@flotilla/runtime';

/**
 * A small schema for documents that have no protobuf descriptor (Kubernetes' kinds). A shape reads a JSON value into
 * `T`, adding faults for what does not fit, and returns a usable value in every case.
 */
export type Shape<T> = (value: unknown, path: FieldPath, faults: FaultList) => T;

/** A text; `fallback` when absent. */
export function text(fallback = ''): Shape<string> {
  return (value, path, faults) => {
    if (value === undefined || value === null) return fallback;
    if (typeof value === 'string') return value;
    const isPlain = typeof value === 'number' || typeof value === 'boolean';
    faults.error(
      path,
      `must be a text, but is ${describeType(value)}`,
      isPlain ? `Put it in quotes: ${JSON.stringify(String(value))}.` : '',
    );
    return fallback;
  };
}

/** One of the texts of `allowed`; the first when absent. */
export function oneOf<const T extends string>(first: T, ...others: T[]): Shape<T> {
  const allowed: readonly T[] = [first, ...others];
  return (value, path, faults) => {
    if (value === undefined || value === null) return first;
    const found = allowed.find((each) => each === value);
    if (found !== undefined) return found;
    faults.error(path, `unknown value ${quote(String(value))}`, `Allowed: ${allowed.join(', ')}.`);
    return first;
  };
}

/** A whole number within bounds; `fallback` when absent. */
export function integer(min: number, max: number, fallback: number): Shape<number> {
  return (value, path, faults) => {
    if (value === undefined || value === null) return fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    faults.error(path, `must be a whole number between ${min} and ${max}, but is ${describeType(value)}`);
    return fallback;
  };
}

export function flag(): Shape<boolean> {
  return (value, path, faults) => {
    if (value === undefined || value === null) return false;
    if (typeof value === 'boolean') return value;
    faults.error(path, `must be true or false, but is ${describeType(value)}`);
    return false;
  };
}

/** `inner`, or `null` when absent. */
export function optional<T>(inner: Shape<T>): Shape<T | null> {
  return (value, path, faults) => (value === undefined || value === null ? null : inner(value, path, faults));
}

/** Marks a field that must be there. */
export function required<T>(inner: Shape<T>): Shape<T> {
  return (value, path, faults) => {
    if (value !== undefined && value !== null) return inner(value, path, faults);
    faults.error(path, `${quote(String(path.at(-1)))} is missing`);
    // One fault is enough: what is missing inside a missing field is not reported.
    return inner(value, path, new FaultList());
  };
}

export function list<T>(item: Shape<T>): Shape<readonly T[]> {
  return (value, path, faults) => {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value.map((each: unknown, index) => item(each, [...path, index], faults));
    faults.error(path, `must be a list, but is ${describeType(value)}`, 'Begin each entry with a dash.');
    return [];
  };
}

/** A map of texts, such as labels. */
export function textMap(): Shape<Readonly<Record<string, string>>> {
  const item = text();
  return (value, path, faults) => {
    if (value === undefined || value === null) return {};
    if (!isObject(value)) {
      faults.error(path, `must be a map, but is ${describeType(value)}`);
      return {};
    }
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, item(each, [...path, key], faults)]));
  };
}

type Fields = Readonly<Record<string, Shape<unknown>>>;
type Read<F extends Fields> = { readonly [K in keyof F]: ReturnType<F[K]> };

/**
 * A map with these fields. `otherFields` names those that exist and mean nothing to a mesh; with the value `any`,
 * fields not named here are passed over, and without it they are faults.
 */
export function record<F extends Fields>(fields: F, otherFields: readonly string[] | 'any' = []): Shape<Read<F>> {
  return (value, path, faults) => {
    const source = isObject(value) ? value : {};
    if (!isObject(value) && value !== undefined && value !== null) {
      faults.error(path, `must be a map of fields, but is ${describeType(value)}`);
    }
    const known = otherFields === 'any' ? null : [...Object.keys(fields), ...otherFields];
    for (const name of known === null ? [] : Object.keys(source)) {
      if (known === null || known.includes(name)) continue;
      faults.unexpected([...path, name], `unknown field ${quote(name)}`, () => didYouMean(name, known));
    }
    const entries = Object.entries(fields).map(([name, shape]) => [name, shape(source[name], [...path, name], faults)]);
    // The entries are exactly those of `fields`, read by their own shapes.
    return Object.fromEntries(entries) as Read<F>;
  };
}
