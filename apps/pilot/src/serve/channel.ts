import type { XdsShortName } from '@flotilla/xds';
import type { EncodedResource, Offer } from '@flotilla/translate';

/** What a request said. */
export interface Received {
  readonly answer: 'none' | 'ack' | 'nack' | 'stale';
  /** A response is due: for new names, or because it is the first request. */
  readonly isAsking: boolean;
  /** It has to look at everything on offer. */
  readonly isWholeDue: boolean;
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
  /** Removals that were held back. */
  readonly heldRemovals: readonly string[];
}

export interface PrepareOptions {
  readonly nonce: string;
  readonly version: string;
  /** Leave with the proxy what is gone. */
  readonly holdRemovals: boolean;
  /** Names whose resources may differ from what was on offer before; `null`: any. */
  readonly names: ReadonlySet<string> | null;
}

/** One resource type on one stream: the part in which SotW and delta differ. */
export interface TypeChannel<Request> {
  readonly type: XdsShortName;
  receive(request: Request): Received;
  /** Names asked for one by one. */
  readonly names: ReadonlySet<string>;
  /** Of those, names the proxy holds nothing for and waits to hear of. */
  readonly unanswered: ReadonlySet<string>;
  /** Every response is made from everything on offer. */
  readonly isWhole: boolean;
  /** Names that the next response looks at, whether their resources have changed or not. */
  outstanding(): Iterable<string>;
  /** Resources it holds, or was sent. */
  readonly heldCount: number;
  readonly isAwaiting: boolean;
  readonly nonceSent: string;
  readonly nonceAcked: string;
  readonly refusal: string | null;
  /** Compares the offer, at least of the names looked at, with what the proxy has; a response counts as sent when this returns. */
  prepare(offered: Offer, options: PrepareOptions): Preparation;
  /** Makes the next response carry these again, where they are subscribed. */
  requireAnswer(names: Iterable<string>): boolean;
}
