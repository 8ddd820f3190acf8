import type { DecodedDocuments, TextDocument } from '../decode/decode-documents.ts';
import type { Report } from '../write/report.ts';
import type { NamedKeys } from './messages.ts';

/** How much of the checking a caller may ask for. `own`: a part of the control plane, whose documents it wrote itself. */
export type CheckRight = 'own' | 'writer' | 'stranger';

export interface Documents {
  readonly documents: readonly TextDocument[];
  readonly defaultNamespace: string;
}

/** Reads and judges documents off the serving thread. What it throws is for the caller: see `CheckLane.run`. */
export interface Checker {
  decode(documents: Documents, right: CheckRight, signal?: AbortSignal): Promise<DecodedDocuments>;
  /** Reads a file of a watched directory. Those who call wait for none of it. `exhausted`: it is the file's own fault. */
  decodeFile(file: TextDocument, defaultNamespace: string, signal: AbortSignal): Promise<DecodedDocuments>;
  keys(documents: Documents, right: CheckRight, signal?: AbortSignal): Promise<NamedKeys>;
  /** Judges documents alone, without a mesh. */
  validate(documents: Documents, right: CheckRight, signal?: AbortSignal): Promise<Report>;
  close(): Promise<void>;
}
