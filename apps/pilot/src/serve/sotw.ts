import {
  applySotwRequest,
  freshSotwSubscription,
  hasWildcard,
  markSotwSent,
  type SotwRequestFields,
  type SotwSubscription,
  type XdsShortName,
} from '@flotilla/xds';
import type { EncodedResource, Offer } from '@flotilla/translate';
import type { Preparation, PrepareOptions, Received, TypeChannel } from './channel.ts';
import { encodeSotwResponse } from './response.ts';

/** One type on a state-of-the-world stream. */
export class SotwChannel implements TypeChannel<SotwRequestFields> {
  readonly type: XdsShortName;
  readonly isWhole = true;
  #state: SotwSubscription = freshSotwSubscription;
  /** What the proxy has been sent and wants to have. */
  #sent: ReadonlyMap<string, EncodedResource> = new Map();
  readonly #required = new Set<string>();
  /** Names in the last response, which a refusal is about. */
  #lastChanged: readonly string[] = [];
  /** Refused, and not sent since: they go along with the next response. */
  #refused: readonly string[] = [];
  #isResponseDue = false;

  constructor(type: XdsShortName) {
    this.type = type;
  }

  get names(): ReadonlySet<string> {
    return this.#state.names;
  }

  get unanswered(): ReadonlySet<string> {
    return this.#required;
  }

  get heldCount(): number {
    return this.#sent.size;
  }

  outstanding(): Iterable<string> {
    return this.#required;
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

  receive(request: SotwRequestFields): Received {
    const outcome = applySotwRequest(this.#state, request, hasWildcard(this.type));
    this.#state = outcome.state;
    if (outcome.kind === 'nack') this.#refused = this.#lastChanged;
    if (outcome.mustRespond) {
      this.#isResponseDue = true;
      for (const name of outcome.added) this.#required.add(name);
    }
    const { kind } = outcome;
    const answer = kind === 'first' ? 'none' : kind === 'resubscribe' ? 'ack' : kind;
    return { answer, isAsking: outcome.mustRespond, isWholeDue: outcome.mustRespond };
  }

  prepare(offered: Offer, options: PrepareOptions): Preparation {
    const { wildcard, names: named } = this.#state;
    const wanted = new Map<string, EncodedResource>();
    for (const resource of offered.values()) {
      if (wildcard || named.has(resource.name)) wanted.set(resource.name, resource);
    }
    const gone = [...this.#sent.keys()].filter((name) => !wanted.has(name));
    const heldRemovals = hasWildcard(this.type) && options.holdRemovals ? gone : [];
    const changed = [...wanted.values()].filter(
      (resource) => this.#required.has(resource.name) || this.#sent.get(resource.name)?.version !== resource.version,
    );
    if (changed.length > 0) {
      const again = this.#refused.flatMap((name) => wanted.get(name) ?? []);
      const news = new Set(changed);
      changed.push(...again.filter((resource) => !news.has(resource)));
    }
    // Of clusters and listeners a response holds all: what is not in it is gone. Of the others it may hold some.
    const isWhole = hasWildcard(this.type);
    const isRemoving = isWhole && !options.holdRemovals && gone.length > 0;
    if (changed.length === 0 && !isRemoving && !this.#isResponseDue) return { response: null, heldRemovals };
    const kept = heldRemovals.flatMap((name) => this.#sent.get(name) ?? []);
    const resources = isWhole ? [...wanted.values(), ...kept] : changed;
    const bytes = encodeSotwResponse({ type: this.type, ...options }, resources);
    this.#state = markSotwSent(this.#state, options);
    this.#sent = new Map([...wanted, ...kept.map((resource) => [resource.name, resource] as const)]);
    this.#required.clear();
    this.#isResponseDue = false;
    const names = changed.map((resource) => resource.name);
    this.#lastChanged = names;
    this.#refused = [];
    return { response: { bytes, changed, removedCount: isRemoving ? gone.length : 0 }, heldRemovals };
  }

  requireAnswer(names: Iterable<string>): boolean {
    let isAny = false;
    for (const name of names) {
      if (!this.#state.names.has(name)) continue;
      this.#required.add(name);
      isAny = true;
    }
    return isAny;
  }
}
