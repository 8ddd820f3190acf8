import type { Timer } from '@flotilla/runtime';
import { changedNames, ClassOffer, type EncodedResource, type Mesh, type Offer } from '@flotilla/translate';
import type { XdsShortName } from '@flotilla/xds';
import { DueNames } from '../push/due-names.ts';
import type { Pending } from '../push/order.ts';
import type { TypeChannel } from './channel.ts';

/** What status shows of one type. */
export interface TypeReport {
  readonly type: XdsShortName;
  readonly isAwaiting: boolean;
  readonly hasAnything: boolean;
  readonly nonceSent: string;
  readonly nonceAcked: string;
  readonly versionSent: number;
  readonly versionAcked: number;
  readonly resourceCount: number;
  readonly resourcesPushed: number;
  readonly refusal: string | null;
  readonly changedAtMs: number;
}

/** How far one type is on one stream. */
export interface TypeState<Request> {
  readonly channel: TypeChannel<Request>;
  /** What the next response looks at. */
  readonly due: DueNames;
  /** What was on offer last: names that are the same in the next are looked at no more. */
  offer: ClassOffer | null;
  isDirty: boolean;
  isRequested: boolean;
  isOverdue: boolean;
  hasHeldRemovals: boolean;
  overdueTimer: Timer | null;
  /** Mesh versions; 0 before the first. */
  versionSent: number;
  versionAcked: number;
  resourceCount: number;
  resourcesPushed: number;
  changedAtMs: number;
  /** What the last response was made from, and what was new in it; what was refused is looked for there. */
  sent: { readonly mesh: Mesh; readonly resources: readonly EncodedResource[] } | null;
  /** The mesh of which the proxy took all that was offered. */
  accepted: Mesh | null;
}

export function openTypeState<Request>(channel: TypeChannel<Request>, nowMs: number): TypeState<Request> {
  return {
    channel,
    due: new DueNames(),
    offer: null,
    isDirty: false,
    isRequested: false,
    isOverdue: false,
    hasHeldRemovals: false,
    overdueTimer: null,
    versionSent: 0,
    versionAcked: 0,
    resourceCount: 0,
    resourcesPushed: 0,
    changedAtMs: nowMs,
    sent: null,
    accepted: null,
  };
}

export function reportOf<Request>(type: XdsShortName, state: TypeState<Request>): TypeReport {
  const { channel, versionSent, versionAcked, resourceCount, resourcesPushed, changedAtMs } = state;
  return {
    type,
    isAwaiting: channel.isAwaiting || state.isDirty || state.isRequested,
    hasAnything: versionSent > 0 || channel.nonceSent !== '',
    nonceSent: channel.nonceSent,
    nonceAcked: channel.nonceAcked,
    versionSent,
    versionAcked,
    resourceCount,
    resourcesPushed,
    refusal: channel.refusal,
    changedAtMs,
  };
}

/** Names to look at: those that are due, and of what is on offer as a whole those that differ from the last offer. */
export function differing(
  previous: ClassOffer | null,
  offered: Offer,
  due: ReadonlySet<string>,
): ReadonlySet<string> | null {
  if (!(offered instanceof ClassOffer)) return due;
  return previous === null ? null : new Set([...due, ...changedNames(previous, offered)]);
}

/** What there is to say of it. */
export function pendingOf<Request>(state: TypeState<Request>): Pending {
  return {
    isDirty: state.isDirty,
    isRequested: state.isRequested,
    isAwaiting: state.channel.isAwaiting,
    isOverdue: state.isOverdue,
    hasHeldRemovals: state.hasHeldRemovals,
  };
}
