import { describeKey, FAULT_CODES, formatKey } from '@flotilla/model';
import type { Finding, ResourceKey } from '@flotilla/model';
import { limit } from '@flotilla/runtime';
import type { Candidate, ResourceContent } from '../decode/candidate.ts';
import type { MeshEntry, MeshSet, SetChange } from '../set/mesh-set.ts';
import { judge } from '../write/judge.ts';
import { isSameContent, planPuts } from '../write/plan-puts.ts';
import type { SourceState } from './source.ts';

export interface SyncPlan {
  readonly changes: readonly SetChange[];
  /** Errors between resources, because of which changes are held back; and files that are empty. */
  readonly findings: readonly Finding[];
  /** Keys of the candidates that are not held back. */
  readonly accepted: ReadonlySet<string>;
}

const MAX_ROUNDS = limit({
  name: 'galley.directory-rounds',
  what: 'changes of a directory of which each is wrong only because another one is held back, in a row',
  default: 16,
  unit: 'count',
  past: 'all changes of that moment are held back; what there was before stays',
});

/**
 * Decides what has to change so that the set has what a source asks for.
 *
 * - Resources of other owners are left alone, until the source's own document changes: then the last writer wins.
 * - A resource that its owner's documents name no more goes, unless a document could not be read that may name it, or
 *   its file is there with nothing in it: to remove what a file has, the file is removed, or its documents are.
 * - A change that would bring about an error between resources is held back; what there was before stays.
 */
export function planSync(
  desired: SourceState,
  seen: ReadonlyMap<string, ResourceContent>,
  set: MeshSet,
  facts: { readonly owner: string; readonly version: number; readonly nowMs: number },
): SyncPlan {
  const wanted = [...desired.candidates.values()].filter((candidate) => isWanted(candidate, seen, set, facts.owner));
  let changes: readonly SetChange[] = [
    ...planPuts(wanted, set, { ...facts, tracksSource: true }).flatMap(({ change }) => change ?? []),
    ...surplus(desired, set, facts.owner),
  ];
  const findings: Finding[] = [...emptied(desired, set, facts.owner)];
  const held = new Set<string>();
  const locators = new Map([...desired.candidates].map(([key, { locator }]) => [key, locator]));
  let rounds = 0;
  // Every round holds back at least one change, or is the last.
  for (;;) {
    const { own, others } = judge(changes, set, { isWholeMesh: true, locators });
    const errors = [...own, ...others].filter(({ finding }) => finding.severity === 'error');
    const puts = new Set(changes.flatMap((c) => (c.type === 'put' ? [formatKey(c.entry.resource.key)] : [])));
    const culprits = new Set<string>();
    // Of a list of causes, which other errors may share, what is put here.
    const blamed = new Map<readonly ResourceKey[], readonly string[]>();
    const blame = (keys: readonly ResourceKey[]): boolean => {
      const known = blamed.get(keys) ?? keys.map(formatKey).filter((key) => puts.has(key));
      if (!blamed.has(keys)) known.forEach((key) => culprits.add(key));
      blamed.set(keys, known);
      return known.length > 0;
    };
    for (const { finding, causes } of errors) {
      const isOwn = finding.resource !== null && puts.has(formatKey(finding.resource));
      if (isOwn && finding.resource !== null) culprits.add(formatKey(finding.resource));
      // What a deletion leaves dangling is said by the analysis of the whole set; it does not hold anything back.
      if (isOwn || causes.map(blame).includes(true)) findings.push(finding);
    }
    if (culprits.size === 0) break;
    if (++rounds >= MAX_ROUNDS) puts.forEach((key) => culprits.add(key));
    culprits.forEach((key) => held.add(key));
    changes = changes.filter((c) => c.type === 'delete' || !culprits.has(formatKey(c.entry.resource.key)));
  }
  const accepted = new Set([...desired.candidates.keys()].filter((key) => !held.has(key)));
  return { changes, findings, accepted };
}

function isWanted(
  { content }: Candidate,
  seen: ReadonlyMap<string, ResourceContent>,
  set: MeshSet,
  owner: string,
): boolean {
  const last = seen.get(formatKey(content.key));
  const existing = set.get(content.key);
  if (existing?.owner === owner) return true;
  // Changed or deleted by somebody else since this document was last taken in: that stands until the document changes.
  if (last !== undefined) return !isSameContent(last, content);
  return existing === undefined;
}

/** Deletions of what this owner has in the set and does not ask for any more. */
function surplus(desired: SourceState, set: MeshSet, owner: string): readonly SetChange[] {
  const changes: SetChange[] = [];
  for (const { resource, owner: current } of set.entries()) {
    const key = formatKey(resource.key);
    if (current !== owner || desired.candidates.has(key) || desired.refused.has(key)) continue;
    const { source } = resource.origin;
    if (!desired.unclear.has(source) && !desired.empty.has(source)) changes.push({ type: 'delete', key: resource.key });
  }
  return changes;
}

/** One warning for each empty file whose resources stay. */
function emptied(desired: SourceState, set: MeshSet, owner: string): readonly Finding[] {
  const kept = new Map<string, number>();
  for (const { resource, owner: current } of set.entries()) {
    const { source } = resource.origin;
    if (current !== owner || !desired.empty.has(source) || desired.candidates.has(formatKey(resource.key))) continue;
    kept.set(source, (kept.get(source) ?? 0) + 1);
  }
  return [...kept].map(([source, count]) => ({
    severity: 'warning',
    code: FAULT_CODES.unreadable,
    resource: null,
    field: '',
    origin: { source, line: 0, column: 0 },
    message: `the file is empty: ${count === 1 ? 'the resource' : `the ${count} resources`} that it had before stay in force`,
    hint: 'To remove them remove the file, or leave a comment in it.',
  }));
}

/** Names what a source asks for and somebody else has changed, for the log. */
export function overridden(desired: SourceState, set: MeshSet, owner: string): readonly string[] {
  const isOther = (entry: MeshEntry | undefined): boolean => entry !== undefined && entry.owner !== owner;
  return [...desired.candidates.values()]
    .filter(({ content }) => isOther(set.get(content.key)))
    .map(({ content }) => describeKey(content.key));
}
