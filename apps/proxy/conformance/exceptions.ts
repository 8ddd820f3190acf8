import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { Difference } from './compare.ts';
import type { RecordedOutcomes } from './recorded.ts';
import { type Place, Reader, ScenarioError } from './read-fields.ts';

/** A difference that is meant. `*` stands for anything in `scenario` and `field`. */
export interface KnownDifference {
  readonly scenario: string;
  readonly field: string;
  /** Text that Envoy's side must hold, for differences of which only one kind is meant. */
  readonly envoy?: string;
  /** Text that ours must hold; without it, ours must be what known-outcomes.yaml has, but for the order of fields. */
  readonly ours?: string;
  readonly reason: string;
}

/** A scenario that is not equal yet: its configuration is refused, or it differs in some fields. */
export interface Pending {
  readonly scenario: string;
  /** Part of what our proxy says. */
  readonly refused?: string;
  /** Fields that differ, `*` for anything. */
  readonly differs?: readonly string[];
  /** Text that Envoy's side must hold. */
  readonly envoy?: string;
}

/** Differences that are meant, and which of them were met. */
export class KnownDifferences {
  readonly #entries: readonly KnownDifference[];
  readonly #used = new Set<KnownDifference>();
  readonly recorded: RecordedOutcomes;

  constructor(entries: readonly KnownDifference[], recorded: RecordedOutcomes) {
    this.#entries = entries;
    this.recorded = recorded;
  }

  explains(scenario: string, difference: Difference): boolean {
    const fitting = this.#entries.filter(
      (entry) => isLike(entry.scenario, scenario) && fitsDifference(entry, difference),
    );
    for (const entry of fitting) this.#used.add(entry);
    // An entry that says what ours is needs no record.
    const saysOurs = ({ field, ours }: KnownDifference): boolean => ours !== undefined || field.endsWith('.order');
    return fitting.some(saysOurs) || (fitting.length > 0 && this.recorded.hasSeen(scenario, difference));
  }

  unused(): string[] {
    const entries = this.#entries.filter((entry) => !this.#used.has(entry)).map((entry) => JSON.stringify(entry));
    return [...entries, ...this.recorded.unused()];
  }
}

/** What is not equal yet, and which parts of it were met. */
export class PendingList {
  readonly #entries: readonly Pending[];
  readonly #met = new Set<string>();

  constructor(entries: readonly Pending[]) {
    this.#entries = entries;
  }

  explainsRefusal(scenario: string, message: string): boolean {
    const fitting = this.#like(scenario).filter(({ refused }) => refused !== undefined && message.includes(refused));
    for (const entry of fitting) this.#met.add(`${entry.scenario} refused`);
    return fitting.length > 0;
  }

  explains(scenario: string, { field, envoy }: Difference): boolean {
    const fitting = this.#like(scenario).filter((entry) => envoy.includes(entry.envoy ?? ''));
    const parts = fitting.flatMap((entry) =>
      (entry.differs ?? [])
        .filter((pattern) => isLike(pattern, field))
        .map((pattern) => `${entry.scenario} ${pattern}`),
    );
    for (const part of parts) this.#met.add(part);
    return parts.length > 0;
  }

  #like(scenario: string): readonly Pending[] {
    return this.#entries.filter((entry) => isLike(entry.scenario, scenario));
  }

  /** Entries that are true no more: they are to be taken out. Chance decides whether generated scenarios meet theirs. */
  unused(): string[] {
    const written = this.#entries.filter(({ scenario }) => !scenario.startsWith('generated/'));
    return written.flatMap(({ scenario, refused, differs }) =>
      [...(refused === undefined ? [] : ['refused']), ...(differs ?? [])]
        .filter((part) => !this.#met.has(`${scenario} ${part}`))
        .map((part) => `pending: ${scenario} ${part}`),
    );
  }
}

function fitsDifference(entry: KnownDifference, { field, envoy, ours }: Difference): boolean {
  return isLike(entry.field, field) && envoy.includes(entry.envoy ?? '') && ours.includes(entry.ours ?? '');
}

export async function readKnown(file: string, recorded: RecordedOutcomes): Promise<KnownDifferences> {
  const entries = (await readers(file)).map((reader): KnownDifference => {
    const [envoy, ours] = [reader.string('envoy'), reader.string('ours')];
    const entry: KnownDifference = {
      scenario: reader.string('scenario') ?? reader.fail('scenario', 'is missing'),
      field: reader.string('field') ?? reader.fail('field', 'is missing'),
      ...(envoy === null ? {} : { envoy }),
      ...(ours === null ? {} : { ours }),
      reason: reader.string('reason') ?? reader.fail('reason', 'is missing'),
    };
    reader.finish();
    return entry;
  });
  return new KnownDifferences(entries, recorded);
}

export async function readPending(file: string): Promise<PendingList> {
  const entries = (await readers(file)).map((reader): Pending => {
    const [refused, differs, envoy] = [reader.string('refused'), reader.strings('differs'), reader.string('envoy')];
    const entry: Pending = {
      scenario: reader.string('scenario') ?? reader.fail('scenario', 'is missing'),
      ...(refused === null ? {} : { refused }),
      ...(differs === null ? {} : { differs }),
      ...(envoy === null ? {} : { envoy }),
    };
    reader.finish();
    return entry;
  });
  return new PendingList(entries);
}

async function readers(file: string): Promise<Reader[]> {
  const list: unknown = parse(await readFile(file, 'utf8')) ?? [];
  const error = (place: Place, message: string): ScenarioError =>
    new ScenarioError(file, 1, `${place.join('.')}: ${message}`);
  return new Reader({ list }, [], error).readers('list') ?? [];
}

/** Whether a pattern with `*` fits a text. */
export function isLike(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}
