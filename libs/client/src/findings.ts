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

export function isError(finding: Finding): boolean {
  return finding.severity === Finding_Severity.ERROR || finding.severity === Finding_Severity.UNSPECIFIED;
}

/** `error`, `warning` or `info`. */
export function severityOf(finding: Finding): string {
  return SEVERITY_WORDS[finding.severity];
}
