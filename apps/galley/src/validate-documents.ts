import { decodeBody, findKind } from '@flotilla/model';
import type { Resource } from '@flotilla/model';
import type { ValidationReport } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type { TextDocument } from './decode/decode-documents.ts';
import { reportToWire } from './serve/wire.ts';
import { MeshSet } from './set/mesh-set.ts';
import type { SetChange } from './set/mesh-set.ts';
import { API_OWNER, decodeWritten, reportOf } from './write/apply.ts';
import { meshEntry } from './write/mesh-entry.ts';

export interface ValidateDocumentsOptions {
  /** Namespace of documents that name none. */
  readonly defaultNamespace: string;
  /**
   * What the mesh has already. Left out when that is not known: what the documents name and do not hold may then be
   * elsewhere, and is a warning at most.
   */
  readonly existing?: readonly Resource[];
}

/** Says what the Validate call of a galley would say of the documents, without one. Never throws for what is in them. */
export function validateDocuments(
  documents: readonly TextDocument[],
  options: ValidateDocumentsOptions,
): ValidationReport {
  const decoded = decodeWritten(documents, options.defaultNamespace);
  const set = new MeshSet();
  set.apply((options.existing ?? []).flatMap(putOf));
  return reportToWire(reportOf(decoded, set, options.existing !== undefined));
}

function putOf(resource: Resource): readonly SetChange[] {
  const entry = findKind(resource.key.group, resource.key.kind);
  const decoded = entry === null ? null : decodeBody(entry, resource.body);
  if (entry === null || decoded?.ok !== true) return [];
  return [{ type: 'put', entry: meshEntry(resource, entry, decoded.value, API_OWNER) }];
}
