import { isDeepStrictEqual } from 'node:util';
import type { ResourceKey } from '@flotilla/model';
import type { Candidate, ResourceContent } from '../decode/candidate.ts';
import type { MeshSet, SetChange } from '../set/mesh-set.ts';
import { meshEntry } from './mesh-entry.ts';

export type Outcome = 'created' | 'configured' | 'unchanged' | 'deleted';

export interface PlannedPut {
  readonly key: ResourceKey;
  readonly outcome: Outcome;
  /** `null` when the document says what the set has already. */
  readonly change: SetChange | null;
}

export interface PutFacts {
  readonly owner: string;
  /** Of the set before the write. */
  readonly version: number;
  readonly nowMs: number;
  /** A document that moved to another source is written again: whoever keeps sources apart has to know. */
  readonly tracksSource?: boolean;
}

/** What writing the candidates would do to the set. */
export function planPuts(candidates: readonly Candidate[], set: MeshSet, facts: PutFacts): readonly PlannedPut[] {
  return candidates.map(({ content, entry, spec, locator }) => {
    const { key } = content;
    const existing = set.get(key);
    const hasMoved = facts.tracksSource === true && existing?.resource.origin.source !== content.origin.source;
    if (existing !== undefined && !hasMoved && isSameContent(existing.resource, content)) {
      return { key, outcome: 'unchanged', change: null };
    }
    const createdAtMs = existing?.resource.createdAtMs ?? facts.nowMs;
    const resource = { ...content, resourceVersion: facts.version + 1, createdAtMs };
    return {
      key,
      outcome: existing === undefined ? 'created' : 'configured',
      change: { type: 'put', entry: meshEntry(resource, entry, spec, facts.owner, locator) },
    };
  });
}

/** Whether two documents say the same. Where they stand is not part of what they say. */
export function isSameContent(a: ResourceContent, b: ResourceContent): boolean {
  return (
    a.apiVersion === b.apiVersion &&
    isDeepStrictEqual(a.labels, b.labels) &&
    isDeepStrictEqual(a.annotations, b.annotations) &&
    isDeepStrictEqual(a.body, b.body)
  );
}
