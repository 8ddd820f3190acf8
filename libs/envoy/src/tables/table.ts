/** What the data plane does with the fields of a message. Fields bear Envoy's names, with spaces between them. */
export interface MessageTable {
  /** In force. */
  readonly honoured?: string;
  /** Accepted, and of no effect on what is done: reason -> fields. */
  readonly hints?: Readonly<Record<string, string>>;
  /** Refused when they are set: why -> fields. */
  readonly refused?: Readonly<Record<string, string>>;
  /** Values with which a refused field asks for what is done anyway. */
  readonly harmless?: Readonly<Record<string, FieldValue>>;
  /** Values that are refused of a field that is honoured: why -> field -> value. */
  readonly never?: Readonly<Record<string, Readonly<Record<string, FieldValue>>>>;
  /** Fields whose message has another table here than where it stands otherwise: field -> name of that table. */
  readonly inside?: Readonly<Record<string, string>>;
}

/** Of an enum: the name of a value. */
export type FieldValue = boolean | number | string;

/** Tables by the full name of the message, or for the tables of `inside` by `MESSAGE (of WHOM)`. */
export type Tables = Readonly<Record<string, MessageTable>>;

/** `honoured`: the values that are not. `refused`: the value that is taken all the same. */
export type FieldVerdict =
  | { readonly verdict: 'honoured'; readonly never: readonly { readonly value: FieldValue; readonly why: string }[] }
  | { readonly verdict: 'hint'; readonly reason: string }
  | { readonly verdict: 'refused'; readonly why: string; readonly harmless: FieldValue | null };

/** The verdicts of a table by the names of fields, each of which must stand there once. */
export function verdictsOf(table: MessageTable): ReadonlyMap<string, FieldVerdict> {
  const verdicts = new Map<string, FieldVerdict>();
  const add = (field: string, verdict: FieldVerdict): void => {
    if (verdicts.has(field)) throw new RangeError(`${field} has two verdicts`);
    verdicts.set(field, verdict);
  };
  for (const field of wordsOf(table.honoured ?? '')) {
    const never = Object.entries(table.never ?? {}).flatMap(([why, values]) =>
      field in values ? [{ value: values[field] ?? '', why }] : [],
    );
    add(field, { verdict: 'honoured', never });
  }
  for (const [reason, fields] of Object.entries(table.hints ?? {})) {
    for (const field of wordsOf(fields)) add(field, { verdict: 'hint', reason });
  }
  for (const [why, fields] of Object.entries(table.refused ?? {})) {
    for (const field of wordsOf(fields)) {
      add(field, { verdict: 'refused', why, harmless: table.harmless?.[field] ?? null });
    }
  }
  return verdicts;
}

function wordsOf(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
