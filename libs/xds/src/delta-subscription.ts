/**
 * The server's view of one resource type on one delta stream. It is changed in place, by the functions here alone, so
 * that each costs what it is about: a proxy may hold thousands of names, of which a change touches one.
 *
 * ```
 * request ──applyDeltaRequest──▶ what it meant (ack, nack, subscription)
 * resources on offer ──planDelta──▶ what to send ──markDeltaSent──▶ it waits for an answer
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
  /** What the request says about a response: nothing, accepted, refused, or about one long superseded. */
  readonly answer: DeltaAnswer;
  /** The subscription changed, so a plan is due. */
  readonly isSubscriptionChanged: boolean;
  /** That plan has to look at everything on offer, not only at the names that must be answered. */
  readonly isWholeDue: boolean;
}

/** The same, for those who change it. */
interface State extends DeltaSubscription {
  wildcard: boolean;
  readonly names: Set<string>;
  readonly known: Map<string, string>;
  readonly mustAnswer: Set<string>;
  isFresh: boolean;
  nonceSent: string;
  nonceAcked: string;
  isAwaiting: boolean;
  replaced: Map<string, string | null>;
  refused: Map<string, string>;
  refusal: string | null;
}

/** A subscription before the first request. */
export function freshDeltaSubscription(): DeltaSubscription {
  const fresh: State = {
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
  return fresh;
}

/** Every subscription comes from `freshDeltaSubscription`. */
function stateOf(subscription: DeltaSubscription): State {
  return subscription as State;
}

/**
 * @param allowsLegacyWildcard whether a first request without names asks for everything, see `hasWildcard`
 */
export function applyDeltaRequest(
  subscription: DeltaSubscription,
  request: DeltaRequestFields,
  allowsLegacyWildcard: boolean,
): DeltaRequestOutcome {
  const state = stateOf(subscription);
  const answer = answerOf(state, request);
  const { resourceNamesSubscribe: wanted, resourceNamesUnsubscribe: unwanted } = request;
  const isWholeDue = state.isFresh || wanted.includes('*') || unwanted.includes('*');
  const isSubscriptionChanged = state.isFresh || wanted.length > 0 || unwanted.length > 0;
  if (isSubscriptionChanged) subscribe(state, request, allowsLegacyWildcard);
  if (answer === 'nack') takeBack(state);
  if (answer === 'ack' || answer === 'nack') {
    state.isAwaiting = false;
    state.replaced = new Map();
    state.refusal = answer === 'ack' ? null : (request.errorDetail?.message ?? '');
  }
  if (answer === 'ack') state.nonceAcked = request.responseNonce;
  return { answer, isSubscriptionChanged, isWholeDue };
}

/** Takes in what the client wants, and what it holds. */
function subscribe(state: State, request: DeltaRequestFields, allowsLegacyWildcard: boolean): void {
  const { names, known, mustAnswer, isFresh } = state;
  state.isFresh = false;
  if (isFresh) {
    for (const [name, version] of Object.entries(request.initialResourceVersions)) known.set(name, version);
    if (allowsLegacyWildcard && request.resourceNamesSubscribe.length === 0) state.wildcard = true;
  }
  for (const name of request.resourceNamesSubscribe) {
    if (name === '*') {
      state.wildcard = true;
      continue;
    }
    names.add(name);
    // Asking again for what one has means having lost it; only the versions of the first request say otherwise.
    if (!(isFresh && known.has(name))) {
      known.delete(name);
      mustAnswer.add(name);
    }
  }
  for (const name of request.resourceNamesUnsubscribe) {
    if (name === '*') {
      state.wildcard = false;
      for (const held of known.keys()) if (!names.has(held)) known.delete(held);
      continue;
    }
    names.delete(name);
    known.delete(name);
    // Still covered by the wildcard: the client dropped it and must be told again.
    if (state.wildcard) mustAnswer.add(name);
    else mustAnswer.delete(name);
  }
  // Versions of what it does not want are of no use, and are not kept.
  if (isFresh && !state.wildcard) for (const name of known.keys()) if (!names.has(name)) known.delete(name);
}

/** After a refusal: the client holds what it had before the response, and what it refused is remembered. */
function takeBack({ known, refused, replaced }: State): void {
  for (const [name, before] of replaced) {
    const sent = known.get(name);
    if (sent === undefined) continue;
    refused.set(name, sent);
    if (before === null) known.delete(name);
    else known.set(name, before);
  }
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

/** Versions on offer, by name; a `Map` is one. */
export interface DeltaOffer {
  get(name: string): string | undefined;
  keys(): Iterable<string>;
}

/**
 * What the client lacks of `offered` (for a type without wildcard at least every subscribed name that exists), and what
 * it holds or asked for that is not there. A refused response is not repeated; once anything about it changes all of it is
 * sent again, since a client may refuse a whole response for one resource in it.
 *
 * @param names those whose versions on offer may differ from the plan before; beside them only what must be answered or
 * was refused is looked at. `null`: everything is.
 */
export function planDelta(
  subscription: DeltaSubscription,
  offered: DeltaOffer,
  names: Iterable<string> | null = null,
): DeltaPlan {
  const { known, mustAnswer, refused } = subscription;
  const lacking: string[] = [];
  const removed: string[] = [];
  let isNews = false;
  for (const [name, version] of refused) isNews ||= offered.get(name) !== version;
  const look = (name: string): void => {
    const version = offered.get(name);
    if (version === undefined) {
      if (known.has(name) || mustAnswer.has(name)) removed.push(name);
      return;
    }
    if (!isSubscribed(subscription, name)) return;
    if (known.get(name) === version && !mustAnswer.has(name)) return;
    lacking.push(name);
    if (refused.get(name) !== version || mustAnswer.has(name)) isNews = true;
  };
  if (names === null) {
    for (const name of offered.keys()) look(name);
    for (const name of known.keys()) if (offered.get(name) === undefined) removed.push(name);
    for (const name of mustAnswer) if (offered.get(name) === undefined && !known.has(name)) removed.push(name);
  } else {
    for (const name of new Set([...names, ...mustAnswer, ...refused.keys()])) look(name);
  }
  return { changed: isNews ? lacking : [], removed, isComplete: lacking.length === 0 && removed.length === 0 };
}

/** Records a response: what it carried is known from now on, and an answer with `nonce` is awaited. */
export function markDeltaSent(
  subscription: DeltaSubscription,
  sent: {
    readonly changed: Iterable<readonly [name: string, version: string]>;
    readonly removed: Iterable<string>;
    readonly nonce: string;
  },
): void {
  const state = stateOf(subscription);
  const { known, mustAnswer } = state;
  state.replaced = new Map();
  state.refused = new Map();
  for (const [name, version] of sent.changed) {
    state.replaced.set(name, known.get(name) ?? null);
    known.set(name, version);
    mustAnswer.delete(name);
  }
  for (const name of sent.removed) {
    known.delete(name);
    mustAnswer.delete(name);
  }
  state.nonceSent = sent.nonce;
  state.isAwaiting = true;
}

/** Forgets a refusal that no longer matters: what was refused is no longer offered, and the client holds the rest. */
export function settleDelta(subscription: DeltaSubscription): void {
  const state = stateOf(subscription);
  if (state.isAwaiting || state.refusal === null) return;
  state.refusal = null;
  state.refused = new Map();
}

/**
 * Makes the next plan carry these names again where they are subscribed; false when none is. A client that was sent a
 * changed cluster warms it and waits for its endpoints, though they are the ones it had.
 */
export function requireAnswer(subscription: DeltaSubscription, names: Iterable<string>): boolean {
  const { mustAnswer } = stateOf(subscription);
  const before = mustAnswer.size;
  for (const name of names) if (isSubscribed(subscription, name)) mustAnswer.add(name);
  return mustAnswer.size > before;
}
