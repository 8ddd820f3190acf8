import type { KindEntry, KnownKind, Locator, Resource, SpecByKind } from '@flotilla/model';

/** What a document says about a resource, before it is written: no version and no time of creation yet. */
export type ResourceContent = Omit<Resource, 'resourceVersion' | 'createdAtMs'>;

/** A document that was read and found right on its own, on its way into the set. */
export interface Candidate {
  readonly content: ResourceContent;
  readonly entry: KindEntry;
  /** Decoded by `entry`. */
  readonly spec: SpecByKind[KnownKind];
  /** Positions of its fields. */
  readonly locator: Locator;
}
