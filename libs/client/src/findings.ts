import { limit } from '@flotilla/runtime';
import { type Finding, Finding_Severity, type ResourceKey } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';

const SEVERITY_WORDS: Readonly<Record<Finding_Severity, string>> = {
  [Finding_Severity.UNSPECIFIED]: 'error',
  [Finding_Severity.ERROR]: 'error',
  [Finding_Severity.WARNING]: 'warning',
  [Finding_Severity.INFO]: 'info',
};

/** `VirtualService default/reviews`. */
function formatResource(key: ResourceKey | undefined): string {
  if (key === undefined) return '';
  return `${key.kind} ${key.namespace === '' ? key.name : `${key.namespace}/${key.name}`}`;
}

/**
 * One finding for a terminal: `file:line:column: error FLT0001 Kind ns/name: field: what is wrong`, and the
 * hint on a line of its own.
 */
export function formatFinding(finding: Finding): string {
  const { origin } = finding;
  const place =
    origin === undefined || origin.line === 0
      ? (origin?.source ?? '')
      : `${origin.source}:${origin.line}:${origin.column}`;
  const subject = formatResource(finding.resource);
  const parts = [
    place,
    [SEVERITY_WORDS[finding.severity], finding.code, subject].filter((word) => word !== '').join(' '),
    finding.field,
    finding.message,
  ];
  const line = parts.filter((part) => part !== '').join(': ');
  return finding.hint === '' ? line : `${line}\n  ${finding.hint}`;
}

const MAX_PRINTED = limit({
  name: 'client.findings',
  what: 'findings written as text, on a terminal or in an error; and names of documents that mean nothing to a mesh',
  default: 100,
  unit: 'count',
  past: 'counted: "and N more", errors first; `-o json` has all that galley told',
});

/** A report for a terminal, an item or two lines for each thing to say. Past the bound errors are told first. */
export function formatReport(report: {
  readonly findings: readonly Finding[];
  readonly ignored: readonly string[];
}): string[] {
  return [
    ...bounded(errorsFirst(report.findings).map(formatFinding), report.findings.length),
    ...bounded(
      report.ignored.slice(0, MAX_PRINTED).map((name) => `ignored: ${name}`),
      report.ignored.length,
    ),
  ];
}

/** As many as are printed. */
function errorsFirst(findings: readonly Finding[]): readonly Finding[] {
  if (findings.length <= MAX_PRINTED) return findings;
  const others = findings.filter((finding) => !isError(finding));
  return [...findings.filter(isError), ...others].slice(0, MAX_PRINTED);
}

function bounded(lines: readonly string[], count: number): readonly string[] {
  return count > lines.length ? [...lines, `and ${count - lines.length} more`] : lines;
}

export function isError(finding: Finding): boolean {
  return finding.severity === Finding_Severity.ERROR || finding.severity === Finding_Severity.UNSPECIFIED;
}

/** `error`, `warning` or `info`. */
export function severityOf(finding: Finding): string {
  return SEVERITY_WORDS[finding.severity];
}
