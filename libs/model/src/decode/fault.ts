import { limit } from '@flotilla/runtime';

/** Steps from a document's root to a field: keys of maps, indexes of lists. */
export type FieldPath = readonly (string | number)[];

/**
 * One thing that is wrong with a document. `field` says where by path; whoever has the text adds the position.
 * `subject` says which end of the field to point at: the key for an unknown field, otherwise the value.
 */
export interface Fault {
  readonly severity: 'error' | 'warning';
  readonly code: FaultCode;
  readonly path: FieldPath;
  readonly subject: 'key' | 'value';
  /** What is wrong, one sentence without a trailing period. */
  readonly message: string;
  /** What to do, or "". */
  readonly hint: string;
}

/** Istio's analysis codes where there is one, otherwise Flotilla's. A closed catalogue. */
export const FAULT_CODES = {
  /** The text is not YAML, repeats a key, or exceeds a limit on size, depth or aliases. */
  syntax: 'FLT0001',
  /** A field or kind that Istio knows and this version does not honour. */
  unsupported: 'FLT0002',
  /** A kind or version that nobody knows. */
  unknownKind: 'FLT0003',
  /** The same resource is written twice in one set of documents. */
  repeated: 'FLT0004',
  /** A source could not be read. */
  unreadable: 'FLT0005',
  /** A text, or all texts together, have no document in them. */
  empty: 'FLT0006',
  /** What is deleted stands in a watched directory too, and comes back from there. */
  watched: 'FLT0007',
  /** The resource is pilot's own registration of a connected proxy. */
  registered: 'FLT0008',
  /** More is wrong than is told. */
  more: 'FLT0010',
  /** Istio's SchemaValidationError: shape, type, value or semantics of a field. */
  schema: 'IST0106',
  /** Istio's Deprecated. */
  deprecated: 'IST0002',
  /** Istio's ReferencedResourceNotFound. */
  missingReference: 'IST0101',
  /** Istio's VirtualServiceUnreachableRule. */
  unreachableRule: 'IST0130',
  /** Istio's ConflictingMeshGatewayVirtualServiceHosts. */
  conflictingHosts: 'IST0109',
} as const;

export type FaultCode = (typeof FAULT_CODES)[keyof typeof FAULT_CODES];

/** A value, or everything that is wrong with the input. Warnings may come with either. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T; readonly faults: readonly Fault[]; readonly omitted: Omitted }
  | {
      readonly ok: false;
      readonly faults: readonly Fault[];
      readonly omitted: Omitted;
      /** What could be read, without the faulty fields: for finding what else is wrong, and for nothing more. */
      readonly partial?: T;
    };

/** How many faults there are beyond those that are told. */
export interface Omitted {
  readonly errors: number;
  readonly warnings: number;
}

const MAX_FAULTS = limit({
  name: 'files.faults',
  what: 'faults told of one document',
  default: 100,
  unit: 'count',
  past: 'counted: "and N more"',
});

/** What to do, or how to find it out: asked only of a fault that is told. */
type Hint = string | (() => string);

/** Collects faults while a decoder walks on: the first of them, and the number of the others. */
export class FaultList {
  readonly #faults: Fault[] = [];
  readonly #omitted = { errors: 0, warnings: 0 };
  #errors = 0;

  get faults(): readonly Fault[] {
    return this.#faults;
  }

  get omitted(): Omitted {
    return this.#omitted;
  }

  /** All of them, told or not. */
  get size(): number {
    return this.#faults.length + this.#omitted.errors + this.#omitted.warnings;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  add(fault: Fault): void {
    this.#add(fault, fault.hint);
  }

  addAll({ faults, omitted }: { readonly faults: readonly Fault[]; readonly omitted: Omitted }): void {
    for (const fault of faults) this.add(fault);
    this.#omitted.errors += omitted.errors;
    this.#omitted.warnings += omitted.warnings;
    this.#errors += omitted.errors;
  }

  /** A field's value is wrong: Istio's schema error. */
  error(path: FieldPath, message: string, hint: Hint = ''): void {
    this.#add({ severity: 'error', code: FAULT_CODES.schema, path, subject: 'value', message }, hint);
  }

  /** A field should not be there. */
  unexpected(path: FieldPath, message: string, hint: Hint = ''): void {
    this.#add({ severity: 'error', code: FAULT_CODES.schema, path, subject: 'key', message }, hint);
  }

  warn(code: FaultCode, path: FieldPath, message: string, hint = ''): void {
    this.add({ severity: 'warning', code, path, subject: 'value', message, hint });
  }

  #add(fault: Omit<Fault, 'hint'>, hint: Hint): void {
    const isError = fault.severity === 'error';
    if (isError) this.#errors += 1;
    if (this.#faults.length < MAX_FAULTS) {
      this.#faults.push({ ...fault, hint: typeof hint === 'string' ? hint : hint() });
    } else if (isError) this.#omitted.errors += 1;
    else this.#omitted.warnings += 1;
  }
}

/** Writes a path as people read it: `spec.http[0].route[1].weight`, `labels["app.kubernetes.io/name"]`. */
export function formatPath(path: FieldPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[\w-]+$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}
