import { limit } from '@flotilla/runtime';
import { FAULT_CODES, formatPath } from './decode/fault.ts';
import type { Fault, FaultCode, FieldPath, Omitted } from './decode/fault.ts';
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

const MAX_TEXT = limit({
  name: 'files.finding-text',
  what: 'message, hint, field path, name or namespace of one finding, in characters',
  default: 1_000,
  unit: 'count',
  past: 'cut off, with …',
});

/** The findings of one document, with a last one that says how many more there are. */
export function toFindings(
  { faults, omitted }: { readonly faults: readonly Fault[]; readonly omitted: Omitted },
  resource: ResourceKey | null,
  locator: Locator,
): Finding[] {
  const told = resource === null ? null : shortenKey(resource);
  const findings = faults.map((fault) => toFinding(fault, told, locator));
  const { errors, warnings } = omitted;
  if (errors + warnings > 0) {
    findings.push(moreFinding(omitted, told, locator.locate([], 'value'), 'of this document'));
  }
  return findings;
}

/** Says how much is not told. `where`: "of this document". */
export function moreFinding(
  { errors, warnings }: Omitted,
  resource: ResourceKey | null,
  origin: Origin,
  where: string,
): Finding {
  const counts = [errors === 0 ? '' : `${errors} more errors`, warnings === 0 ? '' : `${warnings} more warnings`];
  return {
    severity: errors > 0 ? 'error' : 'warning',
    code: FAULT_CODES.more,
    resource,
    field: '',
    origin,
    message: `and ${counts.filter((each) => each !== '').join(' and ')} ${where}`,
    hint: 'Mend the first of them, and look again.',
  };
}

/** A text as a finding may say it: what somebody else wrote can be long. */
export function shorten(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT).toWellFormed()}…`;
}

/** Only a key that is refused is so long. */
function shortenKey(key: ResourceKey): ResourceKey {
  const { namespace, name } = key;
  if (namespace.length <= MAX_TEXT && name.length <= MAX_TEXT) return key;
  return { ...key, namespace: shorten(namespace), name: shorten(name) };
}

export function toFinding(fault: Fault, resource: ResourceKey | null, locator: Locator): Finding {
  return {
    severity: fault.severity,
    code: fault.code,
    resource,
    field: shorten(formatPath(fault.path)),
    origin: locator.locate(fault.path, fault.subject),
    message: shorten(fault.message),
    hint: shorten(fault.hint),
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
