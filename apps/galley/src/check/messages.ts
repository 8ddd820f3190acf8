import type { Finding, Origin, ResourceKey } from '@flotilla/model';
import type { ResourceContent } from '../decode/candidate.ts';
import type { TextDocument } from '../decode/decode-documents.ts';
import type { Report } from '../write/report.ts';

/** What a worker is asked. */
export type CheckRequest =
  /** Read the documents into resources. */
  | { readonly kind: 'decode'; readonly documents: readonly TextDocument[]; readonly defaultNamespace: string }
  /** Read a file, which may have no documents, into resources. */
  | { readonly kind: 'file'; readonly documents: readonly TextDocument[]; readonly defaultNamespace: string }
  /** Read only which resources the documents name. */
  | { readonly kind: 'keys'; readonly documents: readonly TextDocument[]; readonly defaultNamespace: string }
  /** Judge the documents alone, without a mesh. */
  | { readonly kind: 'validate'; readonly documents: readonly TextDocument[]; readonly defaultNamespace: string };

/** A candidate without what can be made again from it. */
export interface PlainCandidate {
  readonly content: ResourceContent;
  /** Positions of the fields that are spoken of later, by path as people read it. */
  readonly positions: ReadonlyMap<string, Origin>;
}

/** `DecodedDocuments` that can travel. */
export interface PlainDocuments {
  readonly candidates: readonly PlainCandidate[];
  readonly findings: readonly Finding[];
  readonly ignored: readonly string[];
  readonly refused: readonly ResourceKey[];
  readonly isComplete: boolean;
}

export interface NamedKeys {
  readonly keys: readonly { readonly key: ResourceKey; readonly origin: Origin }[];
  readonly findings: readonly Finding[];
}

export interface CheckAnswers {
  readonly decode: PlainDocuments;
  readonly file: PlainDocuments;
  readonly keys: NamedKeys;
  readonly validate: Report;
}

/** What a worker says: that it is loaded, then one answer for each request, in order. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly answer: CheckAnswers[CheckRequest['kind']] }
  | { readonly kind: 'failed'; readonly message: string };
