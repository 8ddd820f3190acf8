import { formatPath, typedResource } from '@flotilla/model';
import { analysedPaths } from '../analyse/positions.ts';
import type { Candidate } from '../decode/candidate.ts';
import { decodeDocuments, decodeKeys } from '../decode/decode-documents.ts';
import type { DecodedDocuments } from '../decode/decode-documents.ts';
import { MeshSet } from '../set/mesh-set.ts';
import { decodeWritten, reportOf } from '../write/apply.ts';
import type { CheckAnswers, CheckRequest, PlainCandidate, PlainDocuments } from './messages.ts';

/** Does what is asked. Never throws for what is in the documents. */
export function perform<R extends CheckRequest>(request: R): CheckAnswers[R['kind']];
export function perform(request: CheckRequest): CheckAnswers[CheckRequest['kind']] {
  const { documents, defaultNamespace } = request;
  switch (request.kind) {
    case 'decode':
      return plainDocuments(decodeWritten(documents, defaultNamespace));
    case 'file':
      return plainDocuments(decodeDocuments(documents, defaultNamespace));
    case 'keys':
      return decodeKeys(documents, defaultNamespace);
    case 'validate':
      return reportOf(decodeWritten(documents, defaultNamespace), new MeshSet(), false);
  }
}

function plainDocuments(decoded: DecodedDocuments): PlainDocuments {
  return { ...decoded, candidates: decoded.candidates.map(plainOf) };
}

const NAME = ['metadata', 'name'];

function plainOf({ content, entry, spec, locator }: Candidate): PlainCandidate {
  const typed = typedResource({ ...content, resourceVersion: 0, createdAtMs: 0 }, entry, spec);
  const paths = [NAME, ...analysedPaths(typed)];
  return { content, positions: new Map(paths.map((path) => [formatPath(path), locator.locate(path, 'value')])) };
}
