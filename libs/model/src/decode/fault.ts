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
  | { readonly ok: true; readonly value: T; readonly faults: readonly Fault[] }
  | {
      readonly ok: false;
      readonly faults: readonly Fault[];
      /** What could be read, without the faulty fields: for finding what else is wrong, and for nothing more. */
      readonly partial?: T;
    };

/** Collects faults while a decoder walks on. */
export class FaultList {
  readonly #faults: Fault[] = [];
  #errors = 0;

  get faults(): readonly Fault[] {
    return this.#faults;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  add(fault: Fault): void {
    this.#faults.push(fault);
    if (fault.severity === 'error') this.#errors += 1;
  }

  /** A field's value is wrong: Istio's schema error. */
  error(path: FieldPath, message: string, hint = ''): void {
    this.add({ severity: 'error', code: FAULT_CODES.schema, path, subject: 'value', message, hint });
  }

  /** A field should not be there. */
  unexpected(path: FieldPath, message: string, hint = ''): void {
    this.add({ severity: 'error', code: FAULT_CODES.schema, path, subject: 'key', message, hint });
  }

  warn(code: FaultCode, path: FieldPath, message: string, hint = ''): void {
    this.add({ severity: 'warning', code, path, subject: 'value', message, hint });
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
