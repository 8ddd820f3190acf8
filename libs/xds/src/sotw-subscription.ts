/**
 * The server's view of one resource type on one state-of-the-world stream.
 * Rules: xDS protocol, "ACK/NACK and resource type instance version" and "Resource updates".
 */
export interface SotwSubscription {
  readonly isFresh: boolean;
  /** Names asked for; empty with `wildcard` for all. */
  readonly names: ReadonlySet<string>;
  readonly wildcard: boolean;
  /** A request with names has been seen, so an empty list no longer means all. */
  readonly hasNamed: boolean;
  readonly nonceSent: string;
  readonly nonceAcked: string;
  readonly versionSent: string;
  readonly versionAcked: string;
  readonly isAwaiting: boolean;
  readonly refusal: string | null;
}

/** The fields of a `DiscoveryRequest` that decide; a decoded message fits as it is. */
export interface SotwRequestFields {
  readonly versionInfo: string;
  readonly resourceNames: readonly string[];
  readonly responseNonce: string;
  readonly errorDetail?: { readonly message: string } | undefined;
}

/**
 * `first`: no response was made yet on this stream; `ack`, `nack`: about the last response; `resubscribe`: an ACK that
 * changes the names; `stale`: about an earlier response, to be ignored since the client will answer the later one.
 */
export type SotwRequestKind = 'first' | 'ack' | 'nack' | 'resubscribe' | 'stale';

export interface SotwRequestOutcome {
  readonly state: SotwSubscription;
  readonly kind: SotwRequestKind;
  /** Names that were not asked for before: a response is due that holds them. */
  readonly added: readonly string[];
  /** A response is due: the first one, or one for added names. */
  readonly mustRespond: boolean;
}

export const freshSotwSubscription: SotwSubscription = {
  isFresh: true,
  names: new Set(),
  wildcard: false,
  hasNamed: false,
  nonceSent: '',
  nonceAcked: '',
  versionSent: '',
  versionAcked: '',
  isAwaiting: false,
  refusal: null,
};

/**
 * @param allowsLegacyWildcard whether requests that never name a resource ask for everything, see `hasWildcard`
 */
export function applySotwRequest(
  state: SotwSubscription,
  request: SotwRequestFields,
  allowsLegacyWildcard: boolean,
): SotwRequestOutcome {
  // A nonce from before a reconnect cannot be checked: the first request of a stream is always `first`.
  if (!state.isFresh && request.responseNonce !== state.nonceSent) {
    return { state, kind: 'stale', added: [], mustRespond: false };
  }
  const names = new Set(request.resourceNames.filter((name) => name !== '*'));
  const hasNamed = state.hasNamed || request.resourceNames.length > 0;
  const wildcard = request.resourceNames.includes('*') || (allowsLegacyWildcard && !hasNamed);
  const added = [...names].filter((name) => !state.names.has(name));
  const isWider = added.length > 0 || (wildcard && !state.wildcard);
  const subscription = { ...state, isFresh: false, names, wildcard, hasNamed };

  if (state.isFresh) return { state: subscription, kind: 'first', added, mustRespond: wildcard || names.size > 0 };
  if (request.errorDetail !== undefined) {
    return {
      state: { ...subscription, isAwaiting: false, refusal: request.errorDetail.message },
      kind: 'nack',
      added,
      mustRespond: isWider,
    };
  }
  const isNarrower = [...state.names].some((name) => !names.has(name)) || (state.wildcard && !wildcard);
  return {
    state: {
      ...subscription,
      isAwaiting: false,
      refusal: state.isAwaiting ? null : state.refusal,
      nonceAcked: state.nonceSent,
      versionAcked: state.versionSent,
    },
    kind: isWider || isNarrower ? 'resubscribe' : 'ack',
    added,
    mustRespond: isWider,
  };
}

/** Records a response. */
export function markSotwSent(
  state: SotwSubscription,
  sent: { readonly version: string; readonly nonce: string },
): SotwSubscription {
  return { ...state, nonceSent: sent.nonce, versionSent: sent.version, isAwaiting: true };
}
