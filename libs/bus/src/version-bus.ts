import type { ResourceKey } from '@flotilla/model';

/** Says that the set of resources has reached a version, and which resources that version changed. */
export interface VersionAnnouncement {
  readonly version: number;
  readonly keys: readonly ResourceKey[];
}

export type VersionListener = (announcement: VersionAnnouncement) => void;

/**
 * Carries announcements from galley to every pilot. An announcement only says "look": it may be lost, repeated or
 * overtaken on the way, and the truth is the store's change log. So a listener compares versions and fetches.
 *
 * A listener hears what is published after its `subscribe` resolved. One that throws does not keep others from
 * hearing, nor does it fail the publisher.
 */
export interface VersionBus {
  /** Resolves when the bus has taken the announcement, not when listeners have acted. Fails with `unavailable`. */
  publish(announcement: VersionAnnouncement): Promise<void>;
  /** Resolves with the function that ends the subscription, which is idempotent. */
  subscribe(listener: VersionListener): Promise<() => void>;
  /** Ends every subscription. Later calls of `publish` and `subscribe` fail with `unavailable`. Idempotent. */
  close(): Promise<void>;
}
