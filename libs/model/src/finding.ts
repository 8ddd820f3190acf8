import { formatPath } from './decode/fault.ts';
import type { Fault, FaultCode, FieldPath } from './decode/fault.ts';
import { describeKey, formatOrigin } from './resource-key.ts';
import type { Origin, ResourceKey } from './resource-key.ts';

/** Something to say about a resource, with the position of what it is about. */
export interface Finding {
  /** An error refuses the resource; a warning is worth knowing. */
  readonly severity: 'error' | 'warning' | 'info';
  readonly code: FaultCode;
  /** `null` when the document did not get as far as having a name. */
  readonly resource: ResourceKey | null;
  /** Field path from the document's root; "" for the whole document. */
  readonly field: string;
  readonly origin: Origin;
  /** What is wrong, one sentence without a trailing period. */
  readonly message: string;
  /** What to do, or "". */
  readonly hint: string;
}

/** Where fields of one document are, in the text that it was read from. */
export interface Locator {
  /** Position of the nearest thing there is: a missing field is reported where it should stand. */
  locate(path: FieldPath, subject: Fault['subject']): Origin;
}

export function toFinding(fault: Fault, resource: ResourceKey | null, locator: Locator): Finding {
  return {
    severity: fault.severity,
    code: fault.code,
    resource,
    field: formatPath(fault.path),
    origin: locator.locate(fault.path, fault.subject),
    message: fault.message,
    hint: fault.hint,
  };
}

/** One line for a terminal: `mesh.yaml:7:5: error IST0106: VirtualService default/a: spec.http[0].timeout: …`. */
export function formatFinding(finding: Finding): string {
  const parts = [formatOrigin(finding.origin), `${finding.severity} ${finding.code}`];
  if (finding.resource !== null) parts.push(describeKey(finding.resource));
  if (finding.field !== '') parts.push(finding.field);
  const text = `${parts.join(': ')}: ${finding.message}`;
  return finding.hint === '' ? text : `${text}. ${finding.hint}`;
}
