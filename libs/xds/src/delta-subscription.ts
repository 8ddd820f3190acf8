/**
 * The server's view of one resource type on one delta stream.
 *
 * ```
 * request ──applyDeltaRequest──▶ state, what it meant (ack, nack, subscription)
 * resources on offer ──planDelta──▶ what to send ──markSent──▶ state that waits for an answer
 * ```
 * Rules: xDS protocol, "Incremental xDS" and "Wildcard subscriptions".
 */
export interface DeltaSubscription {
  /** The client takes every resource of this type. */
  readonly wildcard: boolean;
  /** Names asked for one by one. */
  readonly names: ReadonlySet<string>;
  /** Versions the client holds or has been sent, by name. */
  readonly known: ReadonlyMap<string, string>;
  /** Names whose next plan must say something, even that they do not exist. */
  readonly mustAnswer: ReadonlySet<string>;
  /** No request has been seen yet. */
  readonly isFresh: boolean;
  /** Nonce of the last response, "" before the first. */
  readonly nonceSent: string;
  /** Nonce of the last accepted response. */
  readonly nonceAcked: string;
  /** A response is out and not answered. */
  readonly isAwaiting: boolean;
  /** What the response that is out replaced: versions held before, `null` where there was none. */
  readonly replaced: ReadonlyMap<string, string | null>;
  /** Versions that the client refused, by name. It may hold the ones before, or those of them that were sound. */
  readonly refused: ReadonlyMap<string, string>;
  /** The client's words about the last response, `null` when it took it. */
  readonly refusal: string | null;
}

/** The fields of a `DeltaDiscoveryRequest` that decide; a decoded message fits as it is. */
export interface DeltaRequestFields {
  readonly resourceNamesSubscribe: readonly string[];
  readonly resourceNamesUnsubscribe: readonly string[];
  readonly initialResourceVersions: Readonly<Record<string, string>>;
  readonly responseNonce: string;
  readonly errorDetail?: { readonly message: string } | undefined;
}

export type DeltaAnswer = 'none' | 'ack' | 'nack' | 'stale';

export interface DeltaRequestOutcome {
  readonly state: DeltaSubscription;
  /** What the request says about a response: nothing, accepted, refused, or about one long superseded. */
  readonly answer: DeltaAnswer;
  /** The subscription changed, so a plan is due. */
  readonly isSubscriptionChanged: boolean;
}

export const freshDeltaSubscription: DeltaSubscription = {
  wildcard: false,
  names: new Set(),
  known: new Map(),
  mustAnswer: new Set(),
  isFresh: true,
  nonceSent: '',
  nonceAcked: '',
  isAwaiting: false,
  replaced: new Map(),
  refused: new Map(),
  refusal: null,
};

/**
 * @param allowsLegacyWildcard whether a first request without names asks for everything, see `hasWildcard`
 */
export function applyDeltaRequest(
  state: DeltaSubscription,
  request: DeltaRequestFields,
  allowsLegacyWildcard: boolean,
): DeltaRequestOutcome {
  const answer = answerOf(state, request);
  const isSubscriptionChanged =
    state.isFresh || request.resourceNamesSubscribe.length > 0 || request.resourceNamesUnsubscribe.length > 0;
  const { names, known, mustAnswer, wildcard } = isSubscriptionChanged
    ? subscribed(state, request, allowsLegacyWildcard)
    : // An ACK comes for every response, however much is subscribed: what it does not change is passed on as it is.
      state;
  const nacked = answer === 'nack' ? takenBack(state, known) : { known, refused: state.refused };
  const isAnswer = answer === 'ack' || answer === 'nack';
  return {
    answer,
    isSubscriptionChanged,
    state: {
      wildcard,
      names,
      known: nacked.known,
      mustAnswer,
      isFresh: false,
      nonceSent: state.nonceSent,
      nonceAcked: answer === 'ack' ? request.responseNonce : state.nonceAcked,
      isAwaiting: isAnswer ? false : state.isAwaiting,
      replaced: isAnswer ? new Map() : state.replaced,
      refused: nacked.refused,
      refusal: answer === 'ack' ? null : answer === 'nack' ? (request.errorDetail?.message ?? '') : state.refusal,
    },
  };
}

type Subscribed = Pick<DeltaSubscription, 'names' | 'known' | 'mustAnswer' | 'wildcard'>;

/** What is wanted and held after a request that says so. */
function subscribed(state: DeltaSubscription, request: DeltaRequestFields, allowsLegacyWildcard: boolean): Subscribed {
  const names = new Set(state.names);
  const known = new Map(state.known);
  const mustAnswer = new Set(state.mustAnswer);
  let wildcard = state.wildcard;

  if (state.isFresh) {
    for (const [name, version] of Object.entries(request.initialResourceVersions)) known.set(name, version);
    if (allowsLegacyWildcard && request.resourceNamesSubscribe.length === 0) wildcard = true;
  }
  for (const name of request.resourceNamesSubscribe) {
    if (name === '*') {
      wildcard = true;
      continue;
    }
    names.add(name);
    // Asking again for what one has means having lost it; only the versions of the first request say otherwise.
    if (!(state.isFresh && known.has(name))) {
      known.delete(name);
      mustAnswer.add(name);
    }
  }
  for (const name of request.resourceNamesUnsubscribe) {
    if (name === '*') {
      wildcard = false;
      for (const held of [...known.keys()]) if (!names.has(held)) known.delete(held);
      continue;
    }
    names.delete(name);
    known.delete(name);
    // Still covered by the wildcard: the client dropped it and must be told again.
    if (wildcard) mustAnswer.add(name);
    else mustAnswer.delete(name);
  }

  // Versions of what it does not want are of no use, and are not kept.
  if (state.isFresh && !wildcard) for (const name of [...known.keys()]) if (!names.has(name)) known.delete(name);
  return { names, known, mustAnswer, wildcard };
}

/** After a refusal: the client holds what it had before the response, and what it refused is remembered. */
function takenBack(state: DeltaSubscription, held: ReadonlyMap<string, string>) {
  const known = new Map(held);
  const refused = new Map(state.refused);
  for (const [name, before] of state.replaced) {
    const sent = known.get(name);
    if (sent === undefined) continue;
    refused.set(name, sent);
    if (before === null) known.delete(name);
    else known.set(name, before);
  }
  return { known, refused };
}

function answerOf(state: DeltaSubscription, request: DeltaRequestFields): DeltaAnswer {
  if (request.responseNonce === '') return 'none';
  if (request.responseNonce !== state.nonceSent) return 'stale';
  return request.errorDetail === undefined ? 'ack' : 'nack';
}

/** Whether the client wants this name. */
export function isSubscribed(state: DeltaSubscription, name: string): boolean {
  return state.wildcard || state.names.has(name);
}

export interface DeltaPlan {
  /** Names to send, in the order of the offer. */
  readonly changed: readonly string[];
  /** Names to report as gone. */
  readonly removed: readonly string[];
  /** The client holds all that is offered; nothing it refused is missing. */
  readonly isComplete: boolean;
}

/**
 * What the client lacks of `offered` (name -> version; for a type without wildcard at least every subscribed name
 * that exists), and what it holds or asked for that is not there. A refused response is not repeated; once anything
 * about it changes all of it is sent again, since a client may refuse a whole response for one resource in it.
 */
export function planDelta(state: DeltaSubscription, offered: ReadonlyMap<string, string>): DeltaPlan {
  const lacking: string[] = [];
  let isNews = [...state.refused].some(([name, version]) => offered.get(name) !== version);
  for (const [name, version] of offered) {
    if (!isSubscribed(state, name)) continue;
    if (state.known.get(name) === version && !state.mustAnswer.has(name)) continue;
    lacking.push(name);
    if (state.refused.get(name) !== version || state.mustAnswer.has(name)) isNews = true;
  }
  const changed = isNews ? lacking : [];
  const removed: string[] = [];
  for (const name of state.known.keys()) {
    if (!offered.has(name)) removed.push(name);
  }
  for (const name of state.mustAnswer) {
    if (!offered.has(name) && !state.known.has(name)) removed.push(name);
  }
  return { changed, removed, isComplete: lacking.length === 0 && removed.length === 0 };
}

/** Records a response: what it carried is known from now on, and an answer with `nonce` is awaited. */
export function markDeltaSent(
  state: DeltaSubscription,
  sent: { readonly changed: ReadonlyMap<string, string>; readonly removed: Iterable<string>; readonly nonce: string },
): DeltaSubscription {
  const known = new Map(state.known);
  const mustAnswer = new Set(state.mustAnswer);
  const replaced = new Map<string, string | null>();
  for (const [name, version] of sent.changed) {
    replaced.set(name, known.get(name) ?? null);
    known.set(name, version);
    mustAnswer.delete(name);
  }
  for (const name of sent.removed) {
    known.delete(name);
    mustAnswer.delete(name);
  }
  return { ...state, known, mustAnswer, replaced, refused: new Map(), nonceSent: sent.nonce, isAwaiting: true };
}

/** Forgets a refusal that no longer matters: what was refused is no longer offered, and the client holds the rest. */
export function settleDelta(state: DeltaSubscription): DeltaSubscription {
  return state.isAwaiting || state.refusal === null ? state : { ...state, refusal: null, refused: new Map() };
}

/**
 * Makes the next plan carry these names again where they are subscribed. A client that was sent a changed cluster
 * warms it and waits for its endpoints, though they are the ones it had.
 */
export function requireAnswer(state: DeltaSubscription, names: Iterable<string>): DeltaSubscription {
  const mustAnswer = new Set(state.mustAnswer);
  for (const name of names) if (isSubscribed(state, name)) mustAnswer.add(name);
  return mustAnswer.size === state.mustAnswer.size ? state : { ...state, mustAnswer };
}
