import type { ResourceKey } from '@flotilla/model';

/** Says that the set of resources has reached a version, and which resources that version changed. */
export interface VersionAnnouncement {
  /** In which life of the store: versions of different epochs do not compare. */
  readonly epoch: string;
  readonly version: number;
  /** Of a large change only some. */
  readonly keys: readonly ResourceKey[];
}

export type VersionListener = (announcement: VersionAnnouncement) => void;

/** Announcements may have been missed, and no more are from now on: look without one. */
export type GapListener = () => void;

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
  /**
   * Resolves with the function that ends the subscription, which is idempotent. A bus that is cut off at that time
   * resolves as well: `onGap` is called when it can be heard, and again whenever it was cut off and can be heard again.
   */
  subscribe(listener: VersionListener, onGap?: GapListener): Promise<() => void>;
  /** Ends every subscription. Later calls of `publish` and `subscribe` fail with `unavailable`. Idempotent. */
  close(): Promise<void>;
}
