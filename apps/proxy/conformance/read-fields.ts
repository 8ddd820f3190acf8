import type { Fields, Value } from './values.ts';

export type Place = readonly (string | number)[];

/** A scenario file that says something unknown. */
export class ScenarioError extends Error {
  constructor(file: string, line: number, message: string) {
    super(`${file}:${line}: ${message}`);
    this.name = 'ScenarioError';
  }
}

/** Reads the fields of a map, each once, and complains of those that nobody asked for. */
export class Reader {
  readonly #fields: Fields;
  readonly #place: Place;
  readonly #error: (place: Place, message: string) => ScenarioError;
  readonly #known = new Set<string>();

  constructor(value: unknown, place: Place, error: (place: Place, message: string) => ScenarioError) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw error(place, 'must be a map');
    // Comes out of a YAML document, which has nothing else.
    this.#fields = value as Fields;
    this.#place = place;
    this.#error = error;
  }

  names(): string[] {
    const names = Object.keys(this.#fields);
    for (const name of names) this.#known.add(name);
    return names;
  }

  has(field: string): boolean {
    return this.#fields[field] !== undefined;
  }

  fail(field: string, message: string): never {
    throw this.#error([...this.#place, field], `${[...this.#place, field].join('.')} ${message}`);
  }

  value(field: string): Value | null {
    this.#known.add(field);
    return this.#fields[field] ?? null;
  }

  string(field: string): string | null {
    const value = this.value(field);
    if (value === null || typeof value === 'string') return value;
    return this.fail(field, 'must be text');
  }

  oneOf<T extends string>(field: string, known: readonly T[]): T | null {
    const text = this.string(field);
    if (text === null) return null;
    return known.find((each) => each === text) ?? this.fail(field, `must be one of ${known.join(', ')}`);
  }

  number(field: string): number | null {
    const value = this.value(field);
    if (value === null || typeof value === 'number') return value;
    return this.fail(field, 'must be a number');
  }

  boolean(field: string): boolean | null {
    const value = this.value(field);
    if (value === null || typeof value === 'boolean') return value;
    return this.fail(field, 'must be true or false');
  }

  list(field: string): readonly Value[] | null {
    const value = this.value(field);
    if (value === null) return null;
    return Array.isArray(value) ? value : this.fail(field, 'must be a list');
  }

  strings(field: string): readonly string[] | null {
    const list = this.list(field);
    if (list === null) return null;
    return list.map((each) => (typeof each === 'string' ? each : this.fail(field, 'must be a list of texts')));
  }

  /** `name: value` lines, written so or as a map. */
  headers(field: string): readonly string[] | null {
    const value = this.value(field);
    if (value === null || Array.isArray(value)) return this.strings(field);
    if (typeof value !== 'object') return this.fail(field, 'must be a map or a list');
    return Object.entries(value).flatMap(([name, each]) =>
      (Array.isArray(each) ? each : [each]).map((one) => `${name}: ${String(one ?? '')}`),
    );
  }

  fields(field: string): Fields | null {
    const value = this.value(field);
    if (value === null) return null;
    return typeof value === 'object' && !Array.isArray(value)
      ? (value as Fields) // neither a list nor null
      : this.fail(field, 'must be a map');
  }

  reader(field: string): Reader | null {
    const value = this.value(field);
    return value === null ? null : new Reader(value, [...this.#place, field], this.#error);
  }

  readers(field: string): Reader[] | null {
    const list = this.list(field);
    if (list === null) return null;
    return list.map((value, index) => new Reader(value, [...this.#place, field, index], this.#error));
  }

  /** Throws for a field that was not read. */
  finish(): void {
    for (const field of Object.keys(this.#fields)) if (!this.#known.has(field)) this.fail(field, 'is not known');
  }
}
