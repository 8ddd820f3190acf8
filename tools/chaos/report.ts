import type { Done } from './execute.ts';
import { explanationOf } from './explain.ts';
import type { Failure, LoadTotals } from './load.ts';
import type { Outage } from './part.ts';
import { FAULT_KINDS, type FaultKind } from './plan.ts';

/** What a run came to. */
export interface Findings {
  readonly seed: number;
  readonly done: readonly Done[];
  readonly load: { readonly totals: LoadTotals; readonly failures: readonly Failure[] };
  readonly outages: readonly Outage[];
  readonly writes: { readonly acknowledged: number; readonly refused: number; readonly lost: readonly string[] };
  /** Whatever else must not be. */
  readonly violations: readonly string[];
  /** What is known of failed requests beyond the journal, by their number. */
  readonly details: ReadonlyMap<number, string>;
}

/** How long a fault that is over is still named beside what fails. */
const AFTER_MS = 2_000;

export interface Report {
  readonly seed: number;
  readonly injected: Readonly<Partial<Record<FaultKind, number>>>;
  readonly skipped: number;
  readonly sent: number;
  readonly failed: number;
  readonly explained: number;
  /** For how long the load itself stood still: the machine was too busy for figures that mean much. */
  readonly stallsMs: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly lost: readonly string[];
  /** A line for each kind of failure that nothing explains, with its first request. */
  readonly unexplained: readonly string[];
  readonly violations: readonly string[];
}

/** Whether it is as it should be. */
export function isClean({ unexplained, lost, violations }: Report): boolean {
  return unexplained.length + lost.length + violations.length === 0;
}

export function makeReport({ seed, done, load, outages, writes, violations, details }: Findings): Report {
  const injected = done.filter(({ outcome }) => outcome === 'injected');
  const unexplained = load.failures.filter((failure) => explanationOf(failure, outages) === null);
  return {
    seed,
    injected: Object.fromEntries(
      FAULT_KINDS.map((kind) => [kind, injected.filter(({ step }) => step.kind === kind).length]),
    ),
    skipped: done.filter(({ outcome }) => outcome === 'skipped').length,
    sent: load.totals.sent,
    failed: load.totals.failed,
    stallsMs: load.totals.stallsMs,
    explained: load.failures.length - unexplained.length,
    ...writes,
    unexplained: [...Map.groupBy(unexplained, (failure) => kindOf(failure, done)).values()].map(
      ([first, ...more]) => `${1 + more.length} times, first ${describe(first, done, details)}`,
    ),
    violations: [
      ...violations,
      ...done.flatMap(({ step, violations: found }) => found.map((what) => `#${step.number} ${step.kind}: ${what}`)),
    ],
  };
}

/** What failures that look the same and happened under the same faults have in common. */
function kindOf(failure: Failure, done: readonly Done[]): string {
  const { client, service, status, error } = failure;
  return [client, service, status, error, ...faultsDuring(failure, done)].join(' ');
}

function faultsDuring({ sentMs, endedMs }: Failure, done: readonly Done[]): readonly string[] {
  return done
    .filter(({ startMs, endMs, outcome }) => outcome !== 'skipped' && startMs <= endedMs && endMs >= sentMs - AFTER_MS)
    .map(({ step }) => [`#${step.number}`, step.kind, ...step.targets].join(' '));
}

function describe(failure: Failure | undefined, done: readonly Done[], details: ReadonlyMap<number, string>): string {
  if (failure === undefined) return '';
  const { number, sentMs, endedMs, client, service, status, error } = failure;
  return [
    `request ${number} at ${new Date(sentMs).toISOString()} for ${endedMs - sentMs} ms`,
    `${client} to ${service}: ${status} ${error}`,
    details.get(number) ?? 'no line in the access log',
    `during ${faultsDuring(failure, done).join(', ') || 'no fault'}`,
  ].join('; ');
}

const SHOWN = 20;

export function formatReport(report: Report): string {
  const list = (title: string, lines: readonly string[]) =>
    lines.length === 0
      ? []
      : [title, ...lines.slice(0, SHOWN).map((line) => `  ${line}`), ...(lines.length > SHOWN ? ['  …'] : [])];
  const faults = Object.entries(report.injected).map(([kind, count]) => `${kind} ${count}`);
  return [
    `seed ${report.seed}`,
    `faults injected: ${faults.join(', ')}; skipped: ${report.skipped}`,
    `requests sent: ${report.sent}, failed: ${report.failed}, of which an instance that was killed explains ${report.explained}`,
    ...(report.stallsMs === 0 ? [] : [`the load itself stood still for ${report.stallsMs} ms: this machine is busy`]),
    `writes acknowledged: ${report.acknowledged}, found at the end: ${report.acknowledged - report.lost.length}; refused: ${report.refused}`,
    ...list('not explained:', report.unexplained),
    ...list('lost:', report.lost),
    ...list('must not be:', report.violations),
    isClean(report) ? 'nothing failed that must not, and nothing was lost' : 'NOT AS IT SHOULD BE',
  ].join('\n');
}
