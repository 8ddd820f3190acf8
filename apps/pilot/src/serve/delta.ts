import {
  applyDeltaRequest,
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
import type { EncodedResource } from '@flotilla/translate';
import type { Preparation, PrepareOptions, Received, TypeChannel } from './channel.ts';
import { encodeDeltaResponse } from './response.ts';

/** One type on a delta stream. */
export class DeltaChannel implements TypeChannel<DeltaRequestFields> {
  readonly type: XdsShortName;
  #state: DeltaSubscription = freshDeltaSubscription;
  /** A client that holds nothing waits for a first response, even an empty one. */
  #isFirstDue = false;

  constructor(type: XdsShortName) {
    this.type = type;
  }

  get names(): ReadonlySet<string> {
    return this.#state.names;
  }

  get unanswered(): ReadonlySet<string> {
    return this.#state.mustAnswer;
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
    const outcome = applyDeltaRequest(this.#state, request, hasWildcard(this.type));
    this.#state = outcome.state;
    if (isFirst) this.#isFirstDue = outcome.state.wildcard && outcome.state.known.size === 0;
    return { answer: outcome.answer, isAsking: outcome.isSubscriptionChanged };
  }

  prepare(offered: ReadonlyMap<string, EncodedResource>, options: PrepareOptions): Preparation {
    const versions = new Map([...offered].map(([name, resource]) => [name, resource.version]));
    const plan = planDelta(this.#state, versions);
    if (plan.isComplete) this.#state = settleDelta(this.#state);
    const { mustAnswer } = this.#state;
    const gone = this.#reportsRemovals ? plan.removed : plan.removed.filter((name) => mustAnswer.has(name));
    const removed = options.holdRemovals ? [] : gone;
    const hasHeldRemovals = options.holdRemovals && gone.length > 0;
    if (plan.changed.length === 0 && removed.length === 0 && !this.#isFirstDue) {
      return { response: null, hasHeldRemovals };
    }
    const resources = plan.changed.flatMap((name) => offered.get(name) ?? []);
    const bytes = encodeDeltaResponse({ type: this.type, ...options }, resources, removed);
    this.#state = markDeltaSent(this.#state, {
      changed: new Map(resources.map((resource) => [resource.name, resource.version])),
      removed,
      nonce: options.nonce,
    });
    this.#isFirstDue = false;
    return { response: { bytes, changed: resources, removedCount: removed.length }, hasHeldRemovals };
  }

  requireAnswer(names: Iterable<string>): boolean {
    const before = this.#state;
    this.#state = requireAnswer(before, names);
    return this.#state !== before;
  }

  /**
   * Endpoints and routes belong to a cluster or listener: a proxy lets go of them together with it. Told earlier that
   * they are gone, it would serve without them in between.
   */
  get #reportsRemovals(): boolean {
    return this.type !== 'EDS' && this.type !== 'RDS';
  }
}
