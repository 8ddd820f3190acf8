/**
 * The client's view of one resource type on a state-of-the-world stream. Pure, as `delta-client` is: each function
 * returns the next state and the fields of the `DiscoveryRequest` to send.
 */
export interface SotwClientState {
  readonly typeUrl: string;
  /** Subscribe to everything: a request without names. */
  readonly wildcard: boolean;
  readonly names: ReadonlySet<string>;
  /** Version of the last response that was taken; survives the stream and opens the next one. Empty: none. */
  readonly version: string;
  /** Of the last response on this stream, which later requests repeat; empty before there was one. */
  readonly nonce: string;
  /** What the last response held. */
  readonly held: ReadonlySet<string>;
}

export interface SotwRequestInit {
  readonly typeUrl: string;
  readonly resourceNames: string[];
  readonly versionInfo: string;
  readonly responseNonce: string;
  readonly errorDetail?: { readonly code: number; readonly message: string };
}

/** The fields of a `DiscoveryResponse` that decide; a decoded message fits as it is. */
export interface SotwResponseFields {
  readonly versionInfo: string;
  readonly nonce: string;
}

interface Next {
  readonly state: SotwClientState;
  readonly request: SotwRequestInit | null;
}

export function sotwClient(typeUrl: string, options: { readonly wildcard: boolean }): SotwClientState {
  return { typeUrl, wildcard: options.wildcard, names: new Set(), version: '', nonce: '', held: new Set() };
}

/** The first request of this type on a new stream; `null` when there is nothing to ask for. */
export function openSotw(state: SotwClientState): Next {
  const fresh = { ...state, nonce: '' };
  return { state: fresh, request: state.wildcard || state.names.size > 0 ? requestOf(fresh) : null };
}

/** Sets the names wanted: a request repeats all of them. `null` when nothing changes. */
export function subscribeSotw(state: SotwClientState, names: Iterable<string>): Next {
  const wanted = new Set(names);
  const isSame = wanted.size === state.names.size && [...wanted].every((name) => state.names.has(name));
  if (isSame) return { state, request: null };
  const next = { ...state, names: wanted };
  return { state: next, request: requestOf(next) };
}

/**
 * What a response takes away by not naming it. Only clusters and listeners, of which a response holds all; one of
 * another type holds what has changed (xDS protocol, "deleting resources"). A name with content that cannot be used
 * is a name all the same.
 */
export function receiveSotw(
  state: SotwClientState,
  names: Iterable<string>,
): { readonly state: SotwClientState; readonly removed: readonly string[] } {
  if (!state.wildcard) return { state, removed: [] };
  const held = new Set(names);
  return { state: { ...state, held }, removed: [...state.held].filter((name) => !held.has(name)) };
}

/** After the response was taken into use: the ACK. */
export function acceptSotw(state: SotwClientState, response: SotwResponseFields): Next {
  const { versionInfo: version, nonce } = response;
  const next = { ...state, version, nonce };
  return { state: next, request: requestOf(next) };
}

/** The NACK. The version stays that of the last response that was taken whole. */
export function refuseSotw(state: SotwClientState, response: SotwResponseFields, reason: string): Next {
  const next = { ...state, nonce: response.nonce };
  // 3 is INVALID_ARGUMENT, which is what Envoy sends.
  return { state: next, request: { ...requestOf(next), errorDetail: { code: 3, message: reason } } };
}

function requestOf(state: SotwClientState): SotwRequestInit {
  const { typeUrl, names, version, nonce } = state;
  return { typeUrl, resourceNames: [...names], versionInfo: version, responseNonce: nonce };
}
