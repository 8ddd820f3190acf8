/**
 * The client's view of one resource type on a delta stream. Pure: each function returns the next state and, where
 * there is something to say, the fields of the `DeltaDiscoveryRequest` to send (`create(DeltaDiscoveryRequestSchema, …)`
 * takes them as they are; the first request of a stream also carries the node).
 *
 * ```
 * openDelta ─▶ request      per type, in PUSH_ORDER, whenever a stream opens
 * subscribeDelta ─▶ request when the wanted names change
 * receiveDelta ─▶ lists what changed; then acceptDelta ─▶ ACK, or refuseDelta ─▶ NACK
 * ```
 * A caller may hold an ACK back until clusters are warm; pilot sends routes after the ACK of their clusters.
 */
export interface DeltaClientState {
  readonly typeUrl: string;
  /** Subscribe to everything. */
  readonly wildcard: boolean;
  readonly names: ReadonlySet<string>;
  /** Versions of the resources in use, by name: they survive the stream and open the next one. */
  readonly versions: ReadonlyMap<string, string>;
}

export interface DeltaRequestInit {
  readonly typeUrl: string;
  readonly resourceNamesSubscribe?: string[];
  readonly resourceNamesUnsubscribe?: string[];
  readonly initialResourceVersions?: { [name: string]: string };
  readonly responseNonce?: string;
  readonly errorDetail?: { readonly code: number; readonly message: string };
}

/** The fields of a `DeltaDiscoveryResponse` that decide; a decoded message fits as it is. */
export interface DeltaResponseFields {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly { readonly name: string; readonly version: string }[];
  readonly removedResources: readonly string[];
}

export function deltaClient(typeUrl: string, options: { readonly wildcard: boolean }): DeltaClientState {
  return { typeUrl, wildcard: options.wildcard, names: new Set(), versions: new Map() };
}

/** The first request of this type on a new stream. `null` when there is nothing to ask for. */
export function openDelta(state: DeltaClientState): DeltaRequestInit | null {
  if (!state.wildcard && state.names.size === 0) return null;
  return {
    typeUrl: state.typeUrl,
    // A wildcard beside names must be written out; alone, the empty list means it, as Envoy sends it.
    resourceNamesSubscribe: state.wildcard && state.names.size > 0 ? ['*', ...state.names] : [...state.names],
    initialResourceVersions: Object.fromEntries(state.versions),
  };
}

/**
 * Sets the names wanted. `request` is `null` when nothing changes. Names no longer wanted lose their version.
 * Call `openDelta` instead for the first names on a stream (state.names was empty and no wildcard).
 */
export function subscribeDelta(
  state: DeltaClientState,
  names: Iterable<string>,
): { readonly state: DeltaClientState; readonly request: DeltaRequestInit | null } {
  const wanted = new Set(names);
  const added = [...wanted].filter((name) => !state.names.has(name));
  const dropped = [...state.names].filter((name) => !wanted.has(name));
  if (added.length === 0 && dropped.length === 0) return { state, request: null };
  const versions = new Map(state.versions);
  if (!state.wildcard) for (const name of dropped) versions.delete(name);
  return {
    state: { ...state, names: wanted, versions },
    request: {
      typeUrl: state.typeUrl,
      ...(added.length === 0 ? {} : { resourceNamesSubscribe: added }),
      ...(dropped.length === 0 ? {} : { resourceNamesUnsubscribe: dropped }),
    },
  };
}

/** After the response was taken into use: its versions are known, and the ACK to send. */
export function acceptDelta(
  state: DeltaClientState,
  response: DeltaResponseFields,
): { readonly state: DeltaClientState; readonly request: DeltaRequestInit } {
  if (response.resources.length === 0 && response.removedResources.length === 0) {
    return { state, request: { typeUrl: state.typeUrl, responseNonce: response.nonce } };
  }
  const versions = new Map(state.versions);
  for (const resource of response.resources) {
    // An answer may cross an unsubscribe; what nobody wants is not remembered.
    if (state.wildcard || state.names.has(resource.name)) versions.set(resource.name, resource.version);
  }
  for (const name of response.removedResources) versions.delete(name);
  return { state: { ...state, versions }, request: { typeUrl: state.typeUrl, responseNonce: response.nonce } };
}

/** The NACK of a response that was not taken; the state, and what is in use, stays as it was. */
export function refuseDelta(state: DeltaClientState, response: DeltaResponseFields, reason: string): DeltaRequestInit {
  // 3 is INVALID_ARGUMENT, which is what Envoy and go-control-plane clients send.
  return { typeUrl: state.typeUrl, responseNonce: response.nonce, errorDetail: { code: 3, message: reason } };
}
