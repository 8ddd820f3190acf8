import { type Clock, FlotillaError } from '@flotilla/runtime';
import { PENALTY_MS, type StreamLimits } from './stream-limits.ts';

/** What one stream may still do. Whatever goes too far throws `exhausted`, which ends the stream. */
export interface StreamBudget {
  /** The first request has said who it is. */
  named(nodeId: string): void;
  /** A request came that is as much work as so many acknowledgements. */
  spend(requests?: number): void;
  /** It asks for so many resources by name, of which pilot does not have so many. */
  hold(names: number, unknownNames: number): void;
  close(): void;
}

/** What the streams of one identity hold together. */
interface Owner {
  readonly name: string;
  readonly streams: Set<(error: FlotillaError) => void>;
  readonly byNode: Map<string, number>;
  unknownNames: number;
  /** Monotonic time before which it may open none. */
  notBeforeMs: number;
}

/**
 * Accounts of all streams, by identity. A stream that goes too far is cut, and its identity may not come back at once;
 * where all together hold too much, the one that holds most is cut, so that no other feels it.
 */
export class StreamBudgets {
  readonly #limits: StreamLimits;
  readonly #clock: Clock;
  readonly #owners = new Map<string, Owner>();
  #streams = 0;
  #unknownNames = 0;

  constructor(limits: StreamLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /**
   * An account for a new stream of `name`, an identity or, without one, an address. `cut` ends it for what its identity
   * holds together with it. Throws `exhausted` when there is no room, or the identity was cut a moment ago.
   */
  open(name: string, cut: (error: FlotillaError) => void): StreamBudget {
    const limits = this.#limits;
    if (this.#streams >= limits.streams) throw exceeded('pilot.streams', limits.streams);
    const owner = this.#ownerOf(name);
    if (this.#clock.monotonicMs() < owner.notBeforeMs) throw exhausted(`${name} was cut off a moment ago`);
    if (owner.streams.size >= limits.identityStreams) {
      throw exceeded('pilot.identity-streams', limits.identityStreams, name);
    }
    this.#streams += 1;
    owner.streams.add(cut);
    let node: string | null = null;
    let unknown = 0;
    let tokens = limits.requestBurst;
    let refilledMs = this.#clock.monotonicMs();
    return {
      named: (nodeId) => {
        const streams = (owner.byNode.get(nodeId) ?? 0) + 1;
        if (streams > limits.nodeStreams) throw exceeded('pilot.node-streams', limits.nodeStreams, nodeId);
        owner.byNode.set(nodeId, streams);
        node = nodeId;
      },
      spend: (requests = 1) => {
        const nowMs = this.#clock.monotonicMs();
        const refill = ((nowMs - refilledMs) / 1000) * limits.requestsPerSecond;
        tokens = Math.min(limits.requestBurst, tokens + refill);
        refilledMs = nowMs;
        if (tokens < requests) throw this.#penalty(owner, exceeded('pilot.stream-requests', limits.requestsPerSecond));
        tokens -= requests;
      },
      hold: (names, unknownNames) => {
        if (names > limits.names) throw this.#penalty(owner, exceeded('pilot.stream-names', limits.names));
        // What became unknown by a change of the mesh, or is given back, is not the stream's doing.
        const isMore = unknownNames > unknown;
        this.#count(owner, unknownNames - unknown);
        unknown = unknownNames;
        if (isMore) this.#checkUnknown(owner, unknown);
      },
      close: () => {
        if (!owner.streams.delete(cut)) return;
        this.#streams -= 1;
        this.#count(owner, -unknown);
        if (node !== null) decrement(owner.byNode, node);
        this.#forget(owner);
      },
    };
  }

  #checkUnknown(owner: Owner, ofStream: number): void {
    const { unknownNames, identityUnknownNames, allUnknownNames } = this.#limits;
    if (ofStream > unknownNames) throw this.#penalty(owner, exceeded('pilot.stream-unknown-names', unknownNames));
    if (owner.unknownNames > identityUnknownNames) {
      throw this.#penalty(owner, exceeded('pilot.identity-unknown-names', identityUnknownNames, owner.name));
    }
    if (this.#unknownNames <= allUnknownNames) return;
    const most = [...this.#owners.values()].reduce((a, b) => (b.unknownNames > a.unknownNames ? b : a));
    const error = this.#penalty(most, exceeded('pilot.unknown-names', allUnknownNames, most.name));
    for (const cut of [...most.streams]) cut(error);
  }

  #penalty(owner: Owner, error: FlotillaError): FlotillaError {
    owner.notBeforeMs = this.#clock.monotonicMs() + PENALTY_MS;
    return error;
  }

  #count(owner: Owner, unknownNames: number): void {
    owner.unknownNames += unknownNames;
    this.#unknownNames += unknownNames;
  }

  #ownerOf(name: string): Owner {
    const known = this.#owners.get(name);
    if (known !== undefined) return known;
    const owner = { name, streams: new Set<never>(), byNode: new Map(), unknownNames: 0, notBeforeMs: 0 };
    this.#owners.set(name, owner);
    return owner;
  }

  /** Nothing is left of it; a penalty is remembered for as long as it lasts. */
  #forget(owner: Owner): void {
    if (owner.streams.size > 0) return;
    const leftMs = owner.notBeforeMs - this.#clock.monotonicMs();
    if (leftMs <= 0) this.#owners.delete(owner.name);
    else this.#clock.after(leftMs, () => this.#forget(owner));
  }
}

function decrement(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 1) - 1;
  if (left === 0) counts.delete(key);
  else counts.set(key, left);
}

function exceeded(name: string, bound: number, whose = 'this stream'): FlotillaError {
  return exhausted(`${whose} went past ${name}, which is ${bound}`);
}

function exhausted(message: string): FlotillaError {
  return new FlotillaError('exhausted', message, { hint: 'docs/limits.md says what is bounded, and by what setting.' });
}
