import { FlotillaError, limit } from '@flotilla/runtime';
import type { Resource, ResourceKey } from '@flotilla/model';

/** A resource as the store keeps it. */
export interface StoredResource {
  readonly resource: Resource;
  /** Who wrote it last: `api`, or a source such as `directory:/etc/mesh`. */
  readonly owner: string;
}

export type StoreChange =
  /** `resourceVersion` is set by the store; `createdAtMs` counts only when the resource is new. */
  | { readonly type: 'put'; readonly resource: Resource; readonly owner: string }
  /** Of a resource that does not exist: nothing. */
  | { readonly type: 'delete'; readonly key: ResourceKey };

/** A state of the set. Two of one epoch are equal when their versions are; of two epochs nothing is known. */
export interface Revision {
  /** Names the life of the store: made by chance when it is created. A store that lost its data begins another. */
  readonly epoch: string;
  /** Counts up by one for each commit; 0 for an empty store. */
  readonly version: number;
}

/** The whole set at one version. */
export interface Snapshot extends Revision {
  readonly resources: readonly StoredResource[];
}

/** What changed after a version, each resource once, with the state it has now; its revision is the one it leads to. */
export interface ChangeSet extends Revision {
  readonly changes: readonly StoredChange[];
}

export interface StoredChange {
  readonly key: ResourceKey;
  /** `null` when the resource was deleted. */
  readonly stored: StoredResource | null;
  /** The version that made this change. */
  readonly version: number;
}

/**
 * Keeps the set of resources under one version counter. A commit is atomic and, once it resolved, survives `kill -9`
 * of this process. Several processes may use one store: the compare-and-set on the version keeps them apart.
 */
export interface ConfigStore {
  revision(): Promise<Revision>;
  /** In the order of keys. */
  snapshot(): Promise<Snapshot>;
  /**
   * Writes all changes as the version after `expected`, or nothing. Throws `conflict` when the set has another revision
   * by now; `unavailable` when the store cannot be reached, where the message says so if the change may have been made.
   * Returns the new version and the resources as written, in the order of the puts.
   */
  commit(changes: readonly StoreChange[], expected: Revision): Promise<Snapshot>;
  /** `null` when the change log does not reach back that far, or the store never had it: take a snapshot. */
  changesSince(revision: Revision): Promise<ChangeSet | null>;
  /** Epochs of stores that were lost, whose data this one was given back by a process that still had it. */
  forebears(): Promise<readonly string[]>;
  /** Idempotent. */
  close(): Promise<void>;
}

export function isSameRevision(a: Revision, b: Revision): boolean {
  return a.epoch === b.epoch && a.version === b.version;
}

/** What a commit is refused with that expected another revision. */
export function conflictWith(current: Revision, expected: Revision): FlotillaError {
  const other = current.epoch === expected.epoch ? '' : ' of a store that was made anew';
  return new FlotillaError(
    'conflict',
    `the configuration has version ${current.version}${other}, not ${expected.version}`,
    {
      hint: 'Somebody else changed it. Read it again, and repeat the change.',
    },
  );
}

/** How many changes the log holds before the oldest are trimmed, unless a setting says otherwise. */
export const DEFAULT_CHANGE_LOG_LIMIT = limit({
  name: 'galley.change-log',
  what: 'changes kept in the store',
  default: 10_000,
  unit: 'count',
  setting: '`--change-log-limit`',
  past: 'the oldest are trimmed; a follower that needs them takes a full snapshot',
});
