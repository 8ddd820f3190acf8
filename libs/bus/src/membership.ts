/**
 * Says which processes live, to those that share a store. A process that ends without a word counts as present until
 * its last sign of life is older than the time to live.
 */
export interface Membership {
  /** Says that this process lives, until close. Ids are unique to a process: a restarted one takes a new id. Fails with `unavailable`. */
  join(id: string): Promise<void>;
  /** Throws `unavailable` when it cannot be told; that is no reason to take the process for dead. */
  isPresent(id: string): Promise<boolean>;
  /** Takes back what this one joined as. Later calls of `join` and `isPresent` fail with `unavailable`. Idempotent. */
  close(): Promise<void>;
}
