import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeBody, findKind, formatPath } from '@flotilla/model';
import { FlotillaError } from '@flotilla/runtime';
import type { Candidate } from '../decode/candidate.ts';
import type { DecodedDocuments } from '../decode/decode-documents.ts';
import type { PlainCandidate, PlainDocuments } from './messages.ts';

/** Candidates made at a time: a millisecond or two, and then whoever else waits has a turn. */
const SLICE = 50;

/** Makes of what a worker read what it had. */
export async function restoreDocuments(plain: PlainDocuments): Promise<DecodedDocuments> {
  const candidates: Candidate[] = [];
  for (const each of plain.candidates) {
    candidates.push(restore(each));
    if (candidates.length % SLICE === 0) await nextTurn();
  }
  return { ...plain, candidates };
}

function restore({ content, positions }: PlainCandidate): Candidate {
  const entry = findKind(content.key.group, content.key.kind);
  const decoded = entry === null ? null : decodeBody(entry, content.body);
  if (entry === null || decoded?.ok !== true) {
    throw new FlotillaError('internal', `${content.key.kind} ${content.key.name} was read by a worker, and not here`);
  }
  const locator = { locate: (path: readonly (string | number)[]) => positions.get(formatPath(path)) ?? content.origin };
  return { content, entry, spec: decoded.value, locator };
}
