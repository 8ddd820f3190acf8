import type { Report } from './report.ts';
import { FAULT_CODES, formatFinding, formatKey } from '@flotilla/model';
import type { Finding, ResourceKey } from '@flotilla/model';
import type { Clock } from '@flotilla/runtime';
import { FlotillaError } from '@flotilla/runtime';
import { analyseResource } from '../analyse/analyse.ts';
import type { Checker, CheckRight } from '../check/checking.ts';
import type { Candidate } from '../decode/candidate.ts';
import { decodeDocuments } from '../decode/decode-documents.ts';
import type { DecodedDocuments, TextDocument } from '../decode/decode-documents.ts';
import { FindingList } from '../decode/finding-list.ts';
import type { MeshSet, SetChange } from '../set/mesh-set.ts';
import type { ConfigWriter } from './config-writer.ts';
import { judge } from './judge.ts';
import { planPuts } from './plan-puts.ts';
import type { Outcome } from './plan-puts.ts';
import { assertRegistrations, type WriteScope } from './scope.ts';

/** Owner of what comes through the API. */
export const API_OWNER = 'api';

/** A write that was refused because of its documents, or of what it would leave behind. */
export class RefusedError extends FlotillaError {
  readonly report: Report;

  constructor(report: Report, subject = 'the documents have') {
    const errors = report.findings.filter((finding) => finding.severity === 'error');
    const [first] = errors;
    const count = errors.length === 1 ? 'an error' : `${errors.length} errors, of which the first is`;
    super('invalid', `${subject} ${count}: ${first === undefined ? '' : formatFinding(first)}`);
    this.report = report;
  }
}

export interface Applied {
  readonly version: number;
  readonly resources: readonly { readonly key: ResourceKey; readonly outcome: Outcome }[];
}

export interface ApplyOptions {
  readonly documents: readonly TextDocument[];
  readonly defaultNamespace: string;
  /** Accept errors between resources. */
  readonly force: boolean;
  /** `null` when the caller does not care which version it changes. */
  readonly expectedVersion: number | null;
  /** What the caller may write. */
  readonly scope: WriteScope;
  readonly checker: Pick<Checker, 'decode'>;
  readonly right: CheckRight;
  /** Fires when the caller gives up: what is not committed by then is not committed at all. */
  readonly signal?: AbortSignal;
}

/**
 * Commits documents as one version, or throws `RefusedError` with every fault there is; `forbidden` for what is beyond
 * the caller's scope; `unavailable` when the caller gave up before the commit, so that nothing was changed.
 */
export async function applyDocuments(
  writer: ConfigWriter,
  clock: Clock,
  options: ApplyOptions,
): Promise<Applied & { readonly report: Report }> {
  const { documents, defaultNamespace, signal } = options;
  const decoded = await options.checker.decode({ documents, defaultNamespace }, options.right, signal);
  const assertScope = (set: MeshSet): void => {
    if (options.scope === 'registrations') assertRegistrations(decoded.candidates, set);
  };
  // What the faults tell of the rest of the mesh is not for everybody either.
  assertScope(writer.set);
  if (hasErrors(decoded.findings)) throw new RefusedError(reportOf(decoded, writer.set, true));
  return writer.write((set, version) => {
    assertWanted(signal);
    assertScope(set);
    assertVersion(options.expectedVersion, version);
    const report = reportOf(decoded, set, true);
    if (!options.force && hasErrors(report.findings)) throw new RefusedError(report);
    const puts = planPuts(decoded.candidates, set, { owner: API_OWNER, version, nowMs: clock.now() });
    return {
      changes: puts.flatMap(({ change }) => change ?? []),
      result: (written) => ({
        version: written,
        report,
        resources: puts.map(({ key, outcome }) => ({ key, outcome })),
      }),
    };
  });
}

/** Decodes what somebody asks to apply: that there is nothing in it is an error too. */
export function decodeWritten(documents: readonly TextDocument[], defaultNamespace: string): DecodedDocuments {
  const decoded = decodeDocuments(documents, defaultNamespace);
  const { candidates, findings, ignored, refused } = decoded;
  if (candidates.length + findings.length + ignored.length + refused.length > 0) return decoded;
  return { ...decoded, findings: noDocuments(documents.map(({ source }) => source)) };
}

function noDocuments(sources: readonly string[]): readonly Finding[] {
  return (sources.length === 0 ? ['the request'] : sources).map((source) => ({
    severity: 'error',
    code: FAULT_CODES.empty,
    resource: null,
    field: '',
    origin: { source, line: 1, column: 1 },
    message: `no documents in ${source}`,
    hint: 'It is empty, or has only comments. Check the path.',
  }));
}

/** What `applyDocuments` would say. Without a whole mesh, what is missing may be elsewhere, and is no error. */
export function reportOf(decoded: DecodedDocuments, set: MeshSet, isWholeMesh: boolean): Report {
  const locators = new Map(decoded.candidates.map(({ content, locator }) => [formatKey(content.key), locator]));
  const changes = candidateChanges(decoded.candidates, set);
  const judgement = judge(changes, set, { isWholeMesh, locators });
  // Documents that say nothing new still hear what is wrong with them.
  const changed = new Set(
    changes.map((change) => formatKey(change.type === 'put' ? change.entry.resource.key : change.key)),
  );
  const unchanged = decoded.candidates.flatMap(({ content }) => {
    const existing = changed.has(formatKey(content.key)) ? undefined : set.get(content.key);
    return existing === undefined ? [] : analyseResource(existing.typed, { set, isWholeMesh }, locators);
  });
  const cross = [...judgement.own, ...unchanged, ...judgement.others].map(({ finding }) => finding);
  const findings = new FindingList();
  findings.add(decoded.findings);
  findings.add(cross);
  return { findings: findings.all(), ignored: decoded.ignored };
}

function candidateChanges(candidates: readonly Candidate[], set: MeshSet): readonly SetChange[] {
  // Judged, not written: version and time play no part but in the order of age, where the new is the youngest.
  const puts = planPuts(candidates, set, { owner: API_OWNER, version: 0, nowMs: Number.MAX_SAFE_INTEGER });
  return puts.flatMap(({ change }) => change ?? []);
}

/** A write that nobody waits for any more is not begun. */
export function assertWanted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new FlotillaError('unavailable', 'the caller gave up before the commit: nothing was changed');
}

function assertVersion(expected: number | null, version: number): void {
  if (expected === null || expected === version) return;
  throw new FlotillaError('conflict', `the configuration has version ${version}, not ${expected}`, {
    hint: 'Somebody else changed it. Read it again, and repeat the change.',
  });
}

export function hasErrors(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.severity === 'error');
}
