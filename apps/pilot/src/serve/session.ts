import { type Clock, FlotillaError } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { hasWildcard, PUSH_ORDER, shortNameOf, type XdsShortName } from '@flotilla/xds';
import {
  ClassOffer,
  generating,
  type Mesh,
  type Offer,
  omissions,
  type ProxyNode,
  type ProxyView,
  type ResourceCache,
  viewOf,
} from '@flotilla/translate';
import type { Isolation } from '../isolate/isolation.ts';
import type { PilotMetrics } from '../metrics.ts';
import { affectedTypes } from '../push/affected.ts';
import { nextSend, type Send } from '../push/order.ts';
import type { TypeChannel } from './channel.ts';
import { differing, openTypeState, pendingOf, reportOf, type TypeReport, type TypeState } from './type-state.ts';

export interface SessionOptions<Request> {
  readonly node: ProxyNode;
  /** SPIFFE id of the connection, "" when there is none. */
  readonly identity: string;
  readonly protocol: 'delta' | 'sotw';
  readonly openChannel: (type: XdsShortName) => TypeChannel<Request>;
  readonly send: (bytes: Buffer) => void;
  /** The proxy has not read what it was sent: `resume` is called when it has. */
  readonly isBlocked: () => boolean;
  /**
   * The proxy asks for so many resources by name; `unknownNames` of them cannot be anything, since it was never offered so
   * many clusters and listeners that would lead to them. False ends the stream.
   */
  readonly hold: (names: number, unknownNames: number) => boolean;
  /** There is something to do: `work` is to be called. */
  readonly onDue: () => void;
  /** Called once: the proxy has listeners, from this stream or an earlier one, so it can be sent requests. */
  readonly onServing: () => void;
  readonly cache: ResourceCache;
  readonly isolation: Isolation;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: PilotMetrics;
}

/** The fields of either kind of request that the session itself reads. */
export interface AnyRequest {
  readonly typeUrl: string;
  readonly errorDetail?: { readonly message: string } | undefined;
  /** Names of a state-of-the-world request. */
  readonly resourceNames?: readonly string[];
  /** Names of a delta request. */
  readonly resourceNamesSubscribe?: readonly string[];
  /** What a proxy has from an earlier stream: of SotW, and of delta. */
  readonly versionInfo?: string;
  readonly initialResourceVersions?: Readonly<Record<string, string>>;
}

// A proxy that takes longer to answer (a cluster that never warms) no longer holds other types up.
const ANSWER_TIMEOUT_MS = 5_000;

/** Resources that are being made, turn by turn. */
interface Making {
  readonly type: XdsShortName;
  /** Names to be looked at; `null`: all. */
  readonly names: ReadonlySet<string> | null;
  readonly steps: Generator<undefined, Offer>;
}

/**
 * One stream of one proxy: what it subscribed, what it was sent, what is due. Requests and mesh updates only mark what is
 * due; `work` sends it in order, one response per type at a time, whenever the stream has its turn.
 */
export class ProxySession<Request extends AnyRequest> {
  readonly node: ProxyNode;
  readonly identity: string;
  readonly protocol: 'delta' | 'sotw';
  readonly connectedAtMs: number;
  readonly #options: SessionOptions<Request>;
  readonly #types = new Map<XdsShortName, TypeState<Request>>();
  #mesh: Mesh | null = null;
  #making: Making | null = null;
  #view: ProxyView | null = null;
  #responses = 0;
  #isServing = false;
  #isClosed = false;
  /** Clusters sent before the proxy asked for endpoints on this stream: it warms them and waits. */
  readonly #clustersSent = new Set<string>();
  /** Most resources that it was offered at a time: a cluster that went may still be asked for. */
  readonly #offered = new Map<XdsShortName, number>();

  constructor(options: SessionOptions<Request>) {
    this.#options = options;
    this.node = options.node;
    this.identity = options.identity;
    this.protocol = options.protocol;
    this.connectedAtMs = options.clock.now();
  }

  receive(request: Request): void {
    const type = shortNameOf(request.typeUrl);
    if (type === null) {
      this.#options.logger.debug('a type that is not served was asked for', { typeUrl: request.typeUrl });
      return;
    }
    const state = this.#stateOf(type);
    const before = state.channel.refusal;
    const { answer, isAsking, isWholeDue } = state.channel.receive(request);
    if (isWholeDue) state.due.addAll();
    if (answer === 'ack' || answer === 'nack') this.#answered(state);
    if (answer === 'ack') {
      state.versionAcked = state.versionSent;
      if (state.sent !== null) this.#accepted(state, type, state.sent.mesh);
    }
    if (type === 'LDS' && !this.#isServing && (answer === 'ack' || answer === 'nack' || hasEarlier(request))) {
      this.#isServing = true;
      this.#options.onServing();
    }
    if (answer === 'nack') {
      this.#options.metrics.rejected(type);
      this.#refused(state, type, state.channel.refusal ?? '');
      // The reason once: a proxy says it again with every response like it.
      if (state.channel.refusal !== before) {
        this.#options.logger.warn(`${this.node.id} refused ${type}`, { reason: state.channel.refusal ?? '' });
      }
    }
    if (isAsking) {
      state.isRequested = true;
      // It was begun for the names that were asked for before.
      if (this.#making?.type === type) this.#making = null;
      if (type === 'EDS' && this.#clustersSent.size > 0) {
        state.channel.requireAnswer(this.#clustersSent);
        this.#clustersSent.clear();
      }
    }
    if (this.#mayHold()) this.#options.onDue();
  }

  /** Looks at a new mesh: what it changes for this proxy is due, and nothing when nothing does. */
  update(whole: Mesh): void {
    if (this.#isClosed) return;
    this.#making = null;
    const mesh = this.#options.isolation.meshFor(this.node, this, whole);
    const previous = this.#view;
    const view = viewOf(mesh, this.node, previous);
    this.#mesh = mesh;
    this.#view = view;
    const affected =
      previous === null
        ? new Map([...this.#types.keys()].map((type) => [type, 'all'] as const))
        : affectedTypes(previous, view);
    for (const [type, names] of affected) {
      const state = this.#types.get(type);
      if (state === undefined) continue;
      state.isDirty = true;
      if (names === 'all') state.due.addAll();
      else state.due.add(names);
    }
  }

  /** Sends what is due and may be sent now. False when the turn is over before. */
  work(isTurnOver: () => boolean): boolean {
    const mesh = this.#mesh;
    const view = this.#view;
    // Before the first snapshot nothing is answered: what pilot does not know yet must not look as if it were gone.
    if (mesh === null || view === null) return true;
    while (!this.#isClosed && !this.#options.isBlocked() && this.#mayHold()) {
      const send = this.#next();
      if (send === null) return true;
      if (isTurnOver() || !this.#respond(send, mesh, view, isTurnOver)) return false;
    }
    return true;
  }

  /** It has been sent something, and nothing is due or unanswered. */
  get isSettled(): boolean {
    const isQuiet = [...this.#types.values()].every(
      ({ isDirty, isRequested, channel }) => !isDirty && !isRequested && !channel.isAwaiting,
    );
    return this.#isClosed || (this.#responses > 0 && isQuiet);
  }

  /** Version of the mesh that the proxy is being brought to, 0 before the first. */
  get meshVersion(): number {
    return this.#mesh?.version ?? 0;
  }

  close(): void {
    this.#isClosed = true;
    this.#options.isolation.closed(this.node, this);
    for (const state of this.#types.values()) state.overdueTimer?.cancel();
  }

  reports(): TypeReport[] {
    return PUSH_ORDER.flatMap((type) => {
      const state = this.#types.get(type);
      return state === undefined ? [] : [reportOf(type, state)];
    });
  }

  omissions(): readonly string[] {
    const view = this.#view;
    return view === null ? [] : omissions({ view, node: this.node, cache: this.#options.cache });
  }

  #stateOf(type: XdsShortName): TypeState<Request> {
    let state = this.#types.get(type);
    if (state === undefined) {
      state = openTypeState(this.#options.openChannel(type), this.#options.clock.now());
      this.#types.set(type, state);
    }
    return state;
  }

  /** Asked before anything is made for the names. */
  #mayHold(): boolean {
    const clusters = this.#types.get('CDS');
    // Names may come before the first answer about clusters, while pilot waits for its mesh.
    const isKnown = this.#mesh !== null && (clusters === undefined || clusters.versionSent > 0);
    const offered = (this.#offered.get('CDS') ?? 0) + (this.#offered.get('LDS') ?? 0);
    let names = 0;
    let unknownNames = 0;
    for (const { channel } of this.#types.values()) {
      names += channel.names.size;
      if (isKnown) unknownNames += Math.max(0, channel.names.size - offered);
    }
    return this.#options.hold(names, unknownNames);
  }

  #answered(state: TypeState<Request>): void {
    state.overdueTimer?.cancel();
    state.overdueTimer = null;
    state.isOverdue = false;
    state.changedAtMs = this.#options.clock.now();
  }

  #next(): Send | null {
    return nextSend(new Map([...this.#types].map(([type, state]) => [type, pendingOf(state)])));
  }

  /** False when the turn is over before all is made. */
  #respond({ type, phase }: Send, mesh: Mesh, view: ProxyView, isTurnOver: () => boolean): boolean {
    const state = this.#stateOf(type);
    const { send, metrics, clock } = this.#options;
    const making = this.#making?.type === type ? this.#making : this.#begin(state, type, view);
    this.#making = making;
    const offered = this.#make(state, making, mesh, isTurnOver);
    if (offered === 'unfinished') return false;
    this.#making = null;
    state.isDirty = false;
    state.isRequested = false;
    if (offered === null) return true;
    const { names } = making;
    const { response, heldRemovals } = state.channel.prepare(offered, {
      nonce: `${mesh.version}-${++this.#responses}`,
      version: String(mesh.version),
      holdRemovals: type === 'CDS' && phase === 'update',
      names: names === null ? null : differing(state.offer, offered, names),
    });
    state.due.clear();
    state.due.add(heldRemovals);
    state.hasHeldRemovals = heldRemovals.length > 0;
    if (offered instanceof ClassOffer) state.offer = offered;
    state.resourceCount = hasWildcard(type) ? offered.size : state.channel.heldCount;
    if (type === 'CDS' || type === 'LDS') this.#offered.set(type, Math.max(offered.size, this.#offered.get(type) ?? 0));
    state.versionSent = mesh.version;
    if (response === null) {
      // The proxy has it all, from before or from an earlier stream.
      if (!state.channel.isAwaiting && state.channel.refusal === null) {
        state.versionAcked = mesh.version;
        this.#accepted(state, type, mesh);
      }
      return true;
    }
    state.sent = { mesh, resources: response.changed };
    state.resourcesPushed += response.changed.length;
    state.changedAtMs = clock.now();
    state.overdueTimer?.cancel();
    state.overdueTimer = clock.after(ANSWER_TIMEOUT_MS, () => {
      state.isOverdue = true;
      this.#options.onDue();
    });
    metrics.pushed(type, response.bytes.length);
    send(response.bytes);
    if (type === 'CDS') this.#warmed(response.changed.map(({ name }) => name));
    return true;
  }

  #begin({ channel, due }: TypeState<Request>, type: XdsShortName, view: ProxyView): Making {
    const names = channel.isWhole ? null : due.names();
    const lookedAt = names === null ? channel.names : new Set([...names, ...channel.outstanding()]);
    const generation = { view, node: this.node, cache: this.#options.cache };
    const wanted = names === null ? lookedAt : new Set([...lookedAt].filter((name) => channel.names.has(name)));
    return { type, names, steps: generating(type, generation, { names: wanted, unanswered: channel.unanswered }) };
  }

  /** `null` when one of the resources cannot be made: that is as if the proxy had refused it. */
  #make(
    state: TypeState<Request>,
    { type, steps }: Making,
    mesh: Mesh,
    isTurnOver: () => boolean,
  ): Offer | 'unfinished' | null {
    try {
      for (;;) {
        const step = steps.next();
        if (step.done === true) return step.value;
        if (isTurnOver()) return 'unfinished';
      }
    } catch (error) {
      state.sent = { mesh, resources: [] };
      this.#options.logger.error(`${type} for ${this.node.id} cannot be made`, { error: FlotillaError.from(error) });
      this.#refused(state, type, FlotillaError.from(error).message);
      return null;
    }
  }

  #accepted(state: TypeState<Request>, type: XdsShortName, mesh: Mesh): void {
    state.accepted = mesh;
    this.#options.isolation.accepted(this.node, this, type, mesh);
  }

  #refused(state: TypeState<Request>, type: XdsShortName, message: string): void {
    if (state.sent === null) return;
    const refusal = { ...state.sent, accepted: state.accepted, message };
    this.#options.isolation.refused(this.node, this, type, refusal);
  }

  /** A changed cluster waits for its endpoints, though they are the ones the proxy has. */
  #warmed(clusters: readonly string[]): void {
    const endpoints = this.#types.get('EDS');
    if (endpoints === undefined) {
      for (const name of clusters) this.#clustersSent.add(name);
    } else if (endpoints.channel.requireAnswer(clusters)) {
      endpoints.isDirty = true;
    }
  }
}

function hasEarlier({ versionInfo = '', initialResourceVersions = {} }: AnyRequest): boolean {
  return versionInfo !== '' || Object.keys(initialResourceVersions).length > 0;
}
