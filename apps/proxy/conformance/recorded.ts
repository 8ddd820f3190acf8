import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Difference } from './compare.ts';

const FILE = join(import.meta.dirname, 'known-outcomes.yaml');
const HEAD =
  '# What ours is where known-differences.yaml says only that it is another: written by `--accept`, read by people.\n';

/** By scenario and field. */
type Outcomes = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** What our proxy does where it is meant to differ, as it was when somebody looked at it. */
export class RecordedOutcomes {
  readonly #recorded: Outcomes;
  readonly #seen = new Map<string, Map<string, string>>();

  constructor(recorded: Outcomes) {
    this.#recorded = recorded;
  }

  /** Whether ours is what it was. */
  hasSeen(scenario: string, { field, ours }: Difference): boolean {
    const fields = this.#seen.get(scenario) ?? new Map<string, string>();
    this.#seen.set(scenario, fields.set(field, ours));
    return this.#recorded.get(scenario)?.get(field) === ours;
  }

  /** Those that are true no more. */
  unused(): string[] {
    return [...this.#recorded].flatMap(([scenario, fields]) =>
      [...fields.keys()]
        .filter((field) => this.#seen.get(scenario)?.has(field) !== true)
        .map((field) => `known outcome: ${scenario} ${field}`),
    );
  }

  /** Of the scenarios that ran, what was seen takes the place of what stands in the file. */
  async accept(ran: ReadonlySet<string>): Promise<void> {
    const kept = [...this.#recorded].filter(([scenario]) => !ran.has(scenario));
    const all = [...kept, ...this.#seen].sort(([left], [right]) => (left < right ? -1 : 1));
    const value = Object.fromEntries(all.map(([scenario, fields]) => [scenario, Object.fromEntries(fields)]));
    await writeFile(FILE, HEAD + stringify(value, { lineWidth: 0, blockQuote: 'literal' }));
  }
}

export async function readRecorded(): Promise<RecordedOutcomes> {
  // Written by accept() alone.
  const value = (parse(await readFile(FILE, 'utf8')) ?? {}) as Record<string, Record<string, string>>;
  return new RecordedOutcomes(
    new Map(Object.entries(value).map(([scenario, fields]) => [scenario, new Map(Object.entries(fields))])),
  );
}
