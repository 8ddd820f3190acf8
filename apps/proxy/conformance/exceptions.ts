import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { Difference } from './compare.ts';

/** A difference that is meant. `*` stands for anything in `scenario` and `field`. */
export interface KnownDifference {
  readonly scenario: string;
  readonly field: string;
  /** Text that Envoy's side must hold, for differences of which only one kind is meant. */
  readonly envoy?: string;
  readonly ours?: string;
  readonly reason: string;
}

/** Scenarios whose configuration our proxy does not take yet. */
export interface Pending {
  readonly scenario: string;
  /** Part of what it says. */
  readonly refused: string;
}

/** Entries of a list, and which of them were of use. */
export class Exceptions<T extends { readonly scenario: string }> {
  readonly #entries: readonly T[];
  readonly #used = new Set<T>();

  constructor(entries: readonly T[]) {
    this.#entries = entries;
  }

  find(scenario: string, fits: (entry: T) => boolean): T | null {
    const found = this.#entries.find((entry) => isLike(entry.scenario, scenario) && fits(entry)) ?? null;
    if (found !== null) this.#used.add(found);
    return found;
  }

  unused(): readonly T[] {
    return this.#entries.filter((entry) => !this.#used.has(entry));
  }
}

export function fitsDifference(entry: KnownDifference, { field, envoy, ours }: Difference): boolean {
  return isLike(entry.field, field) && envoy.includes(entry.envoy ?? '') && ours.includes(entry.ours ?? '');
}

export async function readKnown(file: string): Promise<Exceptions<KnownDifference>> {
  const entries = await readEntries(file, ['scenario', 'field', 'reason'], ['envoy', 'ours']);
  // readEntries has seen that the fields are there.
  return new Exceptions(entries as unknown as KnownDifference[]);
}

export async function readPending(file: string): Promise<Exceptions<Pending>> {
  const entries = await readEntries(file, ['scenario', 'refused'], []);
  return new Exceptions(entries as unknown as Pending[]); // as above
}

async function readEntries(
  file: string,
  required: readonly string[],
  optional: readonly string[],
): Promise<Record<string, string>[]> {
  const list: unknown = parse(await readFile(file, 'utf8')) ?? [];
  if (!Array.isArray(list)) throw new Error(`${file}: must be a list`);
  return list.map((entry: unknown, index) => {
    const fields = typeof entry === 'object' && entry !== null ? Object.entries(entry) : [];
    for (const [name, value] of fields) {
      if (![...required, ...optional].includes(name)) throw new Error(`${file}: [${index}].${name} is not known`);
      if (typeof value !== 'string') throw new Error(`${file}: [${index}].${name} must be text`);
    }
    const missing = required.find((name) => !fields.some(([each]) => each === name));
    if (missing !== undefined) throw new Error(`${file}: [${index}].${missing} is missing`);
    return Object.fromEntries(fields) as Record<string, string>; // all of them are text
  });
}

/** Whether a pattern with `*` fits a text. */
export function isLike(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}
