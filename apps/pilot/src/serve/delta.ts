import {
  applyDeltaRequest,
  type DeltaOffer,
  type DeltaRequestFields,
  type DeltaSubscription,
  freshDeltaSubscription,
  hasWildcard,
  markDeltaSent,
  planDelta,
  requireAnswer,
  settleDelta,
  type XdsShortName,
} from '@flotilla/xds';
import type { Offer } from '@flotilla/translate';
import type { Preparation, PrepareOptions, Received, TypeChannel } from './channel.ts';
import type { DeltaResponses } from './response.ts';

/** One type on a delta stream. */
export class DeltaChannel implements TypeChannel<DeltaRequestFields> {
  readonly type: XdsShortName;
  readonly isWhole = false;
  readonly #state: DeltaSubscription = freshDeltaSubscription();
  readonly #responses: DeltaResponses;
  /** A client that holds nothing waits for a first response, even an empty one. */
  #isFirstDue = false;

  constructor(type: XdsShortName, responses: DeltaResponses) {
    this.type = type;
    this.#responses = responses;
  }

  get names(): ReadonlySet<string> {
    return this.#state.names;
  }

  get unanswered(): ReadonlySet<string> {
    return this.#state.mustAnswer;
  }

  get heldCount(): number {
    return this.#state.known.size;
  }

  *outstanding(): Iterable<string> {
    yield* this.#state.mustAnswer;
    yield* this.#state.refused.keys();
  }

  get isAwaiting(): boolean {
    return this.#state.isAwaiting;
  }

  get nonceSent(): string {
    return this.#state.nonceSent;
  }

  get nonceAcked(): string {
    return this.#state.nonceAcked;
  }

  get refusal(): string | null {
    return this.#state.refusal;
  }

  receive(request: DeltaRequestFields): Received {
    const isFirst = this.#state.isFresh;
    const { answer, isSubscriptionChanged, isWholeDue } = applyDeltaRequest(
      this.#state,
      request,
      hasWildcard(this.type),
    );
    if (isFirst) this.#isFirstDue = this.#state.wildcard && this.#state.known.size === 0;
    return { answer, isAsking: isSubscriptionChanged, isWholeDue };
  }

  prepare(offered: Offer, options: PrepareOptions): Preparation {
    const plan = planDelta(this.#state, versionsOf(offered), options.names);
    if (plan.isComplete) settleDelta(this.#state);
    const { mustAnswer } = this.#state;
    const gone = this.#reportsRemovals ? plan.removed : plan.removed.filter((name) => mustAnswer.has(name));
    const removed = options.holdRemovals ? [] : gone;
    const heldRemovals = options.holdRemovals ? gone : [];
    if (plan.changed.length === 0 && removed.length === 0 && !this.#isFirstDue) {
      return { response: null, heldRemovals };
    }
    const resources = plan.changed.flatMap((name) => offered.get(name) ?? []);
    const bytes = this.#responses.encode({ type: this.type, ...options }, resources, removed);
    markDeltaSent(this.#state, {
      changed: resources.map(({ name, version }) => [name, version]),
      removed,
      nonce: options.nonce,
    });
    this.#isFirstDue = false;
    return { response: { bytes, changed: resources, removedCount: removed.length }, heldRemovals };
  }

  requireAnswer(names: Iterable<string>): boolean {
    return requireAnswer(this.#state, names);
  }

  /**
   * Endpoints and routes belong to a cluster or listener: a proxy lets go of them together with it. Told earlier that
   * they are gone, it would serve without them in between.
   */
  get #reportsRemovals(): boolean {
    return this.type !== 'EDS' && this.type !== 'RDS';
  }
}

function versionsOf(offered: Offer): DeltaOffer {
  return { get: (name) => offered.get(name)?.version, keys: () => offered.keys() };
}
