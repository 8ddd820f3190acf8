import type { XdsShortName } from '@flotilla/xds';
import type { EncodedResource } from '@flotilla/translate';

/** What a request said. */
export interface Received {
  readonly answer: 'none' | 'ack' | 'nack' | 'stale';
  /** A response is due: for new names, or because it is the first request. */
  readonly isAsking: boolean;
}

/** A response made ready, not sent yet. */
export interface Prepared {
  readonly bytes: Buffer;
  /** The resources in it that the proxy did not have. */
  readonly changed: readonly EncodedResource[];
  readonly removedCount: number;
}

export interface Preparation {
  /** Bytes to send, `null` when the proxy has everything. */
  readonly response: Prepared | null;
  /** There are removals that were held back. */
  readonly hasHeldRemovals: boolean;
}

export interface PrepareOptions {
  readonly nonce: string;
  readonly version: string;
  /** Leave with the proxy what is gone. */
  readonly holdRemovals: boolean;
}

/** One resource type on one stream: the part in which SotW and delta differ. */
export interface TypeChannel<Request> {
  readonly type: XdsShortName;
  receive(request: Request): Received;
  /** Names asked for one by one. */
  readonly names: ReadonlySet<string>;
  /** Of those, names the proxy holds nothing for and waits to hear of. */
  readonly unanswered: ReadonlySet<string>;
  readonly isAwaiting: boolean;
  readonly nonceSent: string;
  readonly nonceAcked: string;
  readonly refusal: string | null;
  /** Compares the offer with what the proxy has; a response counts as sent when this returns. */
  prepare(offered: ReadonlyMap<string, EncodedResource>, options: PrepareOptions): Preparation;
  /** Makes the next response carry these again, where they are subscribed. */
  requireAnswer(names: Iterable<string>): boolean;
}
