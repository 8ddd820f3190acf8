import type { HeaderList } from '@flotilla/http-codec';
import { Backoff, type Clock, type Random } from '@flotilla/runtime';
import type { PickContext, UpstreamCluster, UpstreamFailure, UpstreamHost } from '../ports/cluster-manager.ts';
import type { RetryOn, RetryPolicy, RoutingPriority } from '@flotilla/route';

/** What became of the wish to try again. */
export type RetryVerdict =
  | { readonly kind: 'no' }
  /** The policy would, but its attempts are used up (flag URX). */
  | { readonly kind: 'exhausted' }
  /** The policy would, but the circuit breaker does not let it (flag UO). */
  | { readonly kind: 'overflow' }
  | { readonly kind: 'retry'; readonly delayMs: number };

const NO: RetryVerdict = { kind: 'no' };
const EXHAUSTED: RetryVerdict = { kind: 'exhausted' };
const OVERFLOW: RetryVerdict = { kind: 'overflow' };

/** What happened to an attempt, besides a response. */
export type AttemptFailure = UpstreamFailure | 'per-try-timeout' | 'max-duration';

/** What retries need of the proxy. */
export interface RetryTools {
  readonly random: Random;
  readonly clock: Clock;
}

/** The retries of one request: decides after each attempt, holds the circuit breaker's ticket meanwhile. */
export class RetryState {
  readonly policy: RetryPolicy;
  readonly #tried: UpstreamHost[] = [];
  #leftOut: readonly UpstreamHost[] | null = null;
  readonly #cluster: UpstreamCluster;
  readonly #priority: RoutingPriority;
  readonly #backoff: Backoff;
  readonly #random: Random;
  readonly #clock: Clock;
  #left: number;
  #holdsTicket = false;

  constructor(policy: RetryPolicy, cluster: UpstreamCluster, priority: RoutingPriority, { random, clock }: RetryTools) {
    this.policy = policy;
    this.#random = random;
    this.#clock = clock;
    this.#cluster = cluster;
    this.#priority = priority;
    this.#backoff = new Backoff({ baseMs: policy.baseIntervalMs, maxMs: policy.maxIntervalMs }, random);
    this.#left = policy.attempts;
  }

  noteHost(host: UpstreamHost): void {
    this.#tried.push(host);
    const every = this.policy.avoidPrioritiesEvery;
    if (every > 0 && this.#tried.length % every === 0) this.#leftOut = [...this.#tried];
  }

  /** How the next host is to be chosen. */
  pickContext(context: PickContext): PickContext {
    const { avoidPreviousHosts, hostSelectionAttempts } = this.policy;
    if (this.#tried.length === 0 || (!avoidPreviousHosts && this.#leftOut === null)) return context;
    return {
      ...context,
      avoid: avoidPreviousHosts ? new Set(this.#tried) : null,
      avoidAttempts: hostSelectionAttempts,
      avoidPrioritiesOf: this.#leftOut,
    };
  }

  afterFailure(failure: AttemptFailure, hasReachedUpstream: boolean): RetryVerdict {
    return this.#decide(retriesFailure(this.policy.on, failure, hasReachedUpstream), null);
  }

  /** The try takes too long, and another one may join it, whatever `retry_on` says (Envoy). */
  afterSlowness(): RetryVerdict {
    return this.#decide(true, null);
  }

  wouldRetry(status: number, headers: HeaderList): boolean {
    return retriesHead(this.policy.on, status, headers);
  }

  afterHead(status: number, headers: HeaderList): RetryVerdict {
    return this.#decide(retriesHead(this.policy.on, status, headers), headers);
  }

  /** The retry has ended, well or not. */
  release(): void {
    if (!this.#holdsTicket) return;
    this.#holdsTicket = false;
    this.#cluster.releaseRetry(this.#priority);
  }

  #decide(isWanted: boolean, response: HeaderList | null): RetryVerdict {
    if (!isWanted) {
      // It was tried again, and what came needs no further try.
      if (this.#holdsTicket) this.#cluster.countEvent('retry-success');
      this.release();
      return NO;
    }
    this.release();
    if (this.#left === 0) {
      this.#cluster.countEvent('retry-limit-exceeded');
      return EXHAUSTED;
    }
    if (!this.#cluster.tryAcquireRetry(this.#priority)) return OVERFLOW;
    this.#holdsTicket = true;
    this.#left -= 1;
    const resetMs = response === null ? null : resetInterval(this.policy, response, this.#clock);
    this.#cluster.countEvent(resetMs === null ? 'backoff-exponential' : 'backoff-ratelimited');
    // Half as long again at most, so that clients do not come back all at once.
    const delayMs = resetMs === null ? this.#backoff.nextMs() : resetMs * (1 + this.#random() / 2);
    return { kind: 'retry', delayMs };
  }
}

/** How long the response asks to wait, in milliseconds; null when it does not, or asks for too much. */
function resetInterval(policy: RetryPolicy, response: HeaderList, clock: Clock): number | null {
  for (const { name, format } of policy.resetHeaders) {
    const text = response.get(name)?.trim();
    if (text === undefined || !/^\d{1,12}$/.test(text)) continue;
    const ms = format === 'seconds' ? Number(text) * 1000 : (Number(text) - Math.floor(clock.now() / 1000)) * 1000;
    if (ms > 1 && ms <= policy.maxResetIntervalMs) return ms;
  }
  return null;
}

/** Whether `retry_on` asks for another try after a failure (Envoy counts a reset as the 5xx that it would become). */
export function retriesFailure(on: RetryOn, failure: AttemptFailure, hasReachedUpstream: boolean): boolean {
  if (failure === 'overflow') return false;
  if (on.refusedStream && failure === 'refused-stream') return true;
  if (on.reset || on.fiveXx || on.gatewayError) return true;
  if (on.resetIdempotent && failure === 'reset-before-request') return true;
  if (on.resetBeforeRequest && !hasReachedUpstream) return true;
  return on.connectFailure && (failure === 'connect-failure' || failure === 'connect-timeout');
}

/** Whether `retry_on` asks for another try after this response head. */
export function retriesHead(on: RetryOn, status: number, headers: HeaderList): boolean {
  if (headers.has('x-envoy-ratelimited')) return on.envoyRatelimited;
  if (status >= 500 && on.fiveXx) return true;
  if (on.gatewayError && status >= 502 && status <= 504) return true;
  if (on.retriable4xx && status === 409) return true;
  if (on.statusCodes.has(status)) return true;
  if (on.matchesRetriableHeaders !== null && on.matchesRetriableHeaders(headers)) return true;
  if (on.grpcStatuses.size === 0) return false;
  const grpcStatus = headers.get('grpc-status');
  return grpcStatus !== undefined && on.grpcStatuses.has(Number(grpcStatus));
}
