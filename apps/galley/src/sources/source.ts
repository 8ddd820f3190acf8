import type { Finding } from '@flotilla/model';
import type { Candidate } from '../decode/candidate.ts';

/**
 * Where configuration comes from and goes on coming from. A source says what it asks for, all of it, and when that may
 * have changed; it writes nothing. `attachSource` compares with the set, writes what differs, and has the source's
 * resources taken for it: what another writer changed stays until the source's own document changes.
 */
export interface ConfigSource {
  /** Of its kind, in messages: `directory`. */
  readonly kind: string;
  /** Which one of its kind, as the user named it. */
  readonly place: string;
  /** Marks in the store what is this source's: the same after a restart, and of no other source. */
  readonly owner: string;
  /** What to do when it cannot be read at the start. */
  readonly hint: string;
  /**
   * Reads all that is asked for now, each document with its origin. Never called again before it is done. Fails with
   * `unavailable` when the signal fires; any other failure says that nothing is known now, so that all stays as it was.
   */
  read(signal: AbortSignal): Promise<SourceState>;
  /** Calls `onChange` some time after what is asked for may have changed; returns the function that ends that, idempotent. */
  watch(onChange: () => void): () => void;
}

/** What a source asks for, and how well it is known. */
export interface SourceState {
  /** By resource key. */
  readonly candidates: ReadonlyMap<string, Candidate>;
  /** Keys of resources that are named and cannot be accepted as they are: what there was before stays. */
  readonly refused: ReadonlySet<string>;
  /** Origins (`Origin.source`) of which a part could not be ascribed to any resource: what came from there stays. */
  readonly unclear: ReadonlySet<string>;
  /** Origins with nothing in them: an editor, or a full disk, may be about to write what they are to have. */
  readonly empty: ReadonlySet<string>;
  /** What is wrong with what was read. */
  readonly findings: readonly Finding[];
  /** What was read and means nothing to a mesh, by name. */
  readonly ignored: readonly string[];
}
