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

/** The whole set at one version. */
export interface Snapshot {
  readonly version: number;
  readonly resources: readonly StoredResource[];
}

/** What changed after a version, each resource once, with the state it has now. */
export interface ChangeSet {
  /** The version that the changes lead to. */
  readonly version: number;
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
  /** The current version; 0 for an empty store. */
  version(): Promise<number>;
  snapshot(): Promise<Snapshot>;
  /**
   * Writes all changes as version `expectedVersion + 1`, or nothing. Throws `conflict` when the set has another
   * version by now. Returns the new version and the resources as written, in the order of the puts.
   */
  commit(changes: readonly StoreChange[], expectedVersion: number): Promise<Snapshot>;
  /** `null` when the change log does not reach back to `version`, or the store never had it: take a snapshot. */
  changesSince(version: number): Promise<ChangeSet | null>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** How many changes the log holds before the oldest are trimmed, unless a setting says otherwise. */
export const DEFAULT_CHANGE_LOG_LIMIT = 10_000;
