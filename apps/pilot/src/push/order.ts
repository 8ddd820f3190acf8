import { PUSH_ORDER, type XdsShortName } from '@flotilla/xds';

/** What there is to say of one type to one proxy. */
export interface Pending {
  /** The mesh changed: the resources may have. */
  readonly isDirty: boolean;
  /** The proxy asked. */
  readonly isRequested: boolean;
  /** A response is out and not answered. */
  readonly isAwaiting: boolean;
  /** The answer is taking so long that others no longer wait for it. */
  readonly isOverdue: boolean;
  /** Resources that are gone are still with the proxy, since others may refer to them. */
  readonly hasHeldRemovals: boolean;
}

export interface Send {
  readonly type: XdsShortName;
  /** `update`: additions and changes, holding removals of clusters back. `removal`: what was held back. */
  readonly phase: 'update' | 'removal';
}

/**
 * What may be sent next, `null` for nothing now. Make before break: listeners wait until clusters are in use, routes until
 * clusters and listeners are; clusters go when no listener or route refers to them any more. Endpoints never wait: a
 * proxy takes a cluster into use (and answers for it) only when it has them. Routes that a proxy asks for do not wait
 * for listeners: a new listener is waiting for them. One response of a type is out at a time.
 */
export function nextSend(pending: ReadonlyMap<XdsShortName, Pending>): Send | null {
  const isSettled = (type: XdsShortName) => {
    const state = pending.get(type);
    return state === undefined || state.isOverdue || !(state.isDirty || state.isRequested || state.isAwaiting);
  };
  for (const type of PUSH_ORDER) {
    const state = pending.get(type);
    if (state === undefined || state.isAwaiting || !(state.isDirty || state.isRequested)) continue;
    if (type === 'LDS' && !isSettled('CDS')) continue;
    if (type === 'RDS' && !(isSettled('CDS') && (state.isRequested || isSettled('LDS')))) continue;
    return { type, phase: 'update' };
  }
  const clusters = pending.get('CDS');
  const mayRemove = clusters?.hasHeldRemovals === true && !clusters.isAwaiting;
  if (mayRemove && isSettled('EDS') && isSettled('LDS') && isSettled('RDS')) return { type: 'CDS', phase: 'removal' };
  return null;
}
