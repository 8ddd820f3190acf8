/*
 * Long: one state machine. Tries, hedged tries, retries, mirrors and time-outs of one order share their state; what is
 * decided by rules alone is in `retry`, `attempt` and `router-headers`.
 */
import type { HeaderList } from '@flotilla/http-codec';
import type { Timer } from '@flotilla/runtime';
import { acceptsTunnel, wantsTunnel } from '../protocol/tunnel.ts';
import { ResponseFlag, type StreamInfo } from '@flotilla/stream';
import type { PickContext, UpstreamCluster, UpstreamFailure } from '../ports/cluster-manager.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { BodyBuffer } from './body-buffer.ts';
import {
  flagOfFailure,
  noHealthyUpstream,
  perTryIdleTimeout,
  perTryTimeout,
  resetAfterStart,
  responseTimeout,
  upstreamDurationReached,
  upstreamFailed,
} from './local-reply.ts';
import type { LocalReply } from '../ports/local-reply.ts';
import type { ManagerSettings } from './manager-settings.ts';
import { Mirrors } from './mirror.ts';
import type { Order } from './order.ts';
import { RetryState, type RetryVerdict } from './retry.ts';
import type { StreamDeadlines } from '../base/deadlines.ts';

/** What the router needs of the exchange that it works for. */
export interface RouterHost {
  readonly settings: ManagerSettings;
  readonly info: StreamInfo;
  readonly deadlines: StreamDeadlines;
  readonly pickContext: PickContext;
  respondInformational(status: number, headers: HeaderList): void;
  respondHead(status: number, headers: HeaderList, hasBody: boolean): void;
  /** It has done with the bytes of `respondData` when that returns. */
  readonly borrowsData: boolean;
  respondData(chunk: Buffer): void;
  respondEnd(trailers: HeaderList | null): void;
  /** The response broke off after its head. */
  respondBroken(flags: number, details: string): void;
  sendLocalReply(reply: LocalReply): void;
  /** The upstream accepted the upgrade: bytes flow both ways from now on. */
  becomeTunnel(): void;
  pauseRequest(): void;
  resumeRequest(): void;
}

/**
 * Carries one order out: attempts one after another, with their time-outs, retries, buffered body and mirrors, until one
 * attempt's response goes to the client.
 *
 *   trying -> (waiting to retry -> trying)* -> responding -> over
 *
 * With hedging a try whose time is up is not given up but joined by another.
 */
export class Router implements AttemptOwner {
  readonly #host: RouterHost;
  readonly #order: Order;
  readonly #cluster: UpstreamCluster;
  readonly #retry: RetryState | null;
  /** The body so far; null when nothing could want it again. */
  readonly #body: BodyBuffer | null;
  #mirrors: Mirrors | null = null;
  #attempt: Attempt | null = null;
  /** Tries that took too long and go on beside the present one: whichever answers first counts. */
  readonly #late = new Set<Attempt>();
  #backoff: Timer | null = null;
  #isRequestEnded = false;
  #isResponding = false;
  #isTunnel = false;
  /** A 100 Continue of the upstream was counted: one is (Envoy). */
  #hasContinued = false;

  constructor(host: RouterHost, order: Order, cluster: UpstreamCluster) {
    this.#host = host;
    this.#order = order;
    this.#cluster = cluster;
    const { settings } = host;
    this.#retry =
      order.retry === null ? null : new RetryState(order.retry, cluster, order.action.priority, settings.ctx);
    this.#body = this.#retry === null || order.body === 'none' ? null : new BodyBuffer(settings.bufferLimitBytes);
  }

  start(): void {
    const { settings, pickContext } = this.#host;
    this.#try();
    if (this.#order.action.mirrors.length > 0) {
      this.#mirrors = Mirrors.open(this.#order, settings.ctx, pickContext, settings.bufferLimitBytes);
    }
  }

  onRequestData(chunk: Buffer): void {
    if (!this.#isTunnel) {
      this.#body?.push(chunk);
      this.#mirrors?.write(chunk);
    }
    if (this.#attempt !== null && !this.#attempt.write(chunk)) this.#host.pauseRequest();
  }

  onRequestEnd(trailers: HeaderList | null): void {
    this.#isRequestEnded = true;
    this.#body?.end(trailers);
    this.#mirrors?.end(trailers);
    const { routeMs } = this.#order.timeouts;
    if (routeMs > 0) {
      const { deadlines, info } = this.#host;
      deadlines.set('route', routeMs, info.requestEndMs);
    }
    this.#startPerTryTimeout();
    // An upgrade's request has no end until it is refused or the client closes the tunnel.
    if (!wantsTunnel(this.#order) || this.#isTunnel) this.#attempt?.end(trailers);
  }

  onDownstreamBlocked(): void {
    this.#attempt?.pause();
  }

  onDownstreamDrained(): void {
    this.#attempt?.resume();
  }

  /** The exchange ends without the router's doing, or the response is complete. */
  close(): void {
    this.#backoff?.cancel();
    this.#backoff = null;
    this.#attempt?.abort();
    this.#attempt = null;
    this.#abortLate();
    this.#retry?.release();
    this.#mirrors?.abort();
  }

  onRouteTimeout(): void {
    const reply = this.#replyToTimeout(responseTimeout);
    const tries = this.#late.size + (this.#attempt === null ? 0 : 1);
    for (let count = 0; count < tries; count++) {
      this.#cluster.countEvent('timeout');
      if (!this.#isResponding) this.#cluster.countResponse(reply.status, false);
    }
    this.#reportUnanswered();
    if (this.#isResponding) this.#host.respondBroken(ResponseFlag.UpstreamRequestTimeout, reply.details);
    else this.#host.sendLocalReply(reply);
  }

  onPerTryTimeout(): void {
    if (this.#isResponding) return;
    if (this.#order.hedges) this.#hedge();
    else this.#giveUpAttempt('per-try-timeout', this.#replyToTimeout(perTryTimeout));
  }

  /** The caller may want another status than 504, one without a body. */
  #replyToTimeout(reply: LocalReply): LocalReply {
    const { timeoutStatus } = this.#order.timeouts;
    return timeoutStatus === reply.status ? reply : { ...reply, status: timeoutStatus, body: '' };
  }

  /** The present try is slow: another one joins it, as long as there are retries. */
  #hedge(): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    this.#reportUnanswered();
    const verdict = this.#retryAfter((retry) => retry.afterSlowness());
    if (verdict === null) return;
    if (verdict.kind === 'retry') {
      this.#late.add(attempt);
      this.#attempt = null;
    }
    this.#follow(verdict);
  }

  /** Another try than this one may still answer. */
  get #isAwaitingOthers(): boolean {
    return this.#attempt !== null || this.#backoff !== null || this.#late.size > 0;
  }

  #abortLate(): void {
    for (const attempt of this.#late) attempt.abort();
    this.#late.clear();
  }

  /** A late try answers. False: it is no answer, and another one is awaited. */
  #takeLate(attempt: Attempt, status: number, headers: HeaderList): boolean {
    this.#late.delete(attempt);
    if (this.#isAwaitingOthers && this.#retry?.wouldRetry(status, headers) === true) {
      attempt.abort();
      return false;
    }
    this.#backoff?.cancel();
    this.#backoff = null;
    this.#attempt?.abort();
    this.#attempt = attempt;
    this.#host.info.useHost(attempt.host);
    return true;
  }

  /** Nothing went to or came from the upstream for too long. */
  onPerTryIdleTimeout(): void {
    this.#giveUpAttempt('per-try-idle-timeout', this.#replyToTimeout(perTryIdleTimeout));
  }

  /** The stream to the upstream took longer than its cluster lets it. */
  onUpstreamDurationTimeout(): void {
    this.#giveUpAttempt('max-duration', upstreamDurationReached);
  }

  #giveUpAttempt(event: 'per-try-timeout' | 'per-try-idle-timeout' | 'max-duration', reply: LocalReply): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    this.#cluster.countEvent(event);
    if (event !== 'max-duration') this.#reportUnanswered();
    attempt.abort();
    this.#attempt = null;
    if (this.#isResponding) return this.#host.respondBroken(reply.flags, reply.details);
    const failure = event === 'max-duration' ? event : 'per-try-timeout';
    const verdict = this.#retryAfter((retry) => retry.afterFailure(failure, attempt.hasConnected));
    if (verdict !== null && this.#follow(verdict)) return;
    if (event === 'max-duration') this.#host.sendLocalReply(reply);
    else this.#replyInPlace(reply);
  }

  onAttemptInformational(status: number, headers: HeaderList): void {
    // Unless the upstream shall say so, 100 Continue was answered by the proxy itself already.
    if (status !== 100 || this.#host.settings.proxiesContinue) this.#host.respondInformational(status, headers);
    if (status !== 100 || this.#hasContinued) return;
    this.#hasContinued = true;
    this.#cluster.countResponse(status, false);
  }

  onAttemptHead(attempt: Attempt, status: number, headers: HeaderList, hasBody: boolean): void {
    const isLate = this.#late.has(attempt);
    if (isLate && !this.#takeLate(attempt, status, headers)) return;
    const verdict = isLate ? null : this.#retryAfter((retry) => retry.afterHead(status, headers));
    if (verdict !== null && verdict.kind === 'retry') {
      attempt.abort();
      this.#attempt = null;
      this.#cluster.countResponse(status, true);
      this.#follow(verdict);
      return;
    }
    if (verdict !== null) this.#follow(verdict);
    this.#cluster.countResponse(status, false);
    this.#isResponding = true;
    this.#abortLate();
    this.#touch();
    this.#host.deadlines.clear('per-try');
    this.#retry?.release();
    const { info } = this.#host;
    info.responseCode = status;
    info.responseHeaders = headers;
    this.#editResponse(headers, info);
    if (acceptsTunnel(this.#order, status)) {
      this.#isTunnel = true;
      this.#host.deadlines.clear('route');
      this.#host.respondHead(status, headers, true);
      this.#host.becomeTunnel();
      return;
    }
    if (wantsTunnel(this.#order)) attempt.end(null);
    this.#host.respondHead(status, headers, hasBody);
  }

  get borrowsData(): boolean {
    return this.#host.borrowsData;
  }

  onAttemptData(chunk: Buffer): void {
    this.#touch();
    this.#host.respondData(chunk);
  }

  onAttemptConnected(): void {
    const maxStreamDurationMs = this.#order.timeouts.upstreamDurationMs ?? this.#cluster.maxStreamDurationMs;
    if (maxStreamDurationMs === 0) return;
    this.#host.deadlines.set('upstream-duration', maxStreamDurationMs, this.#host.settings.ctx.clock.monotonicMs());
  }

  onAttemptEnd(trailers: HeaderList | null): void {
    this.#attempt = null;
    this.#host.respondEnd(trailers);
  }

  onAttemptDrain(): void {
    this.#host.resumeRequest();
  }

  onAttemptFailure(attempt: Attempt, failure: UpstreamFailure, detail: string): void {
    const isLate = this.#late.delete(attempt);
    if (!isLate) this.#attempt = null;
    const { info } = this.#host;
    if (failure === 'connect-failure' && detail !== '') info.upstreamTransportFailureReason = detail;
    if (this.#isResponding) {
      this.#host.respondBroken(flagOfFailure(failure), resetAfterStart(failure, detail));
      return;
    }
    const verdict = isLate ? null : this.#retryAfter((retry) => retry.afterFailure(failure, attempt.hasConnected));
    if (verdict !== null && this.#follow(verdict)) return;
    const reply = upstreamFailed(failure, detail, info.attemptCount > 1);
    if (this.#isAwaitingOthers) this.#cluster.countResponse(reply.status, false);
    else this.#replyInPlace(reply);
  }

  /** Answers in the place of the upstream, whose statistics count the answer. */
  #replyInPlace(reply: LocalReply): void {
    this.#cluster.countResponse(reply.status, false);
    this.#host.sendLocalReply(reply);
  }

  /** Null: no retry is possible here, whatever happened. */
  #retryAfter(decide: (retry: RetryState) => RetryVerdict): RetryVerdict | null {
    if (this.#retry === null || this.#isResponding) return null;
    if (this.#body !== null && !this.#body.isComplete) return null;
    return decide(this.#retry);
  }

  /** True when another try is on its way. */
  #follow(verdict: RetryVerdict): boolean {
    const { info, settings } = this.#host;
    switch (verdict.kind) {
      case 'retry':
        this.#host.deadlines.clear('per-try');
        this.#host.deadlines.clear('per-try-idle');
        this.#host.deadlines.clear('upstream-duration');
        this.#backoff = settings.ctx.clock.after(verdict.delayMs, () => {
          this.#backoff = null;
          this.#try();
        });
        return true;
      case 'exhausted':
        info.responseFlags |= ResponseFlag.UpstreamRetryLimitExceeded;
        return false;
      case 'overflow':
        info.responseFlags |= ResponseFlag.UpstreamOverflow;
        return false;
      case 'no':
        return false;
    }
  }

  #try(): void {
    const { info } = this.#host;
    info.attemptCount += 1;
    this.#markRequest();
    const attempt = Attempt.pick(this, this.#cluster, this.#pickContext(), info);
    if (attempt === null) {
      this.#replyInPlace(noHealthyUpstream);
      return;
    }
    this.#attempt = attempt;
    this.#retry?.noteHost(attempt.host);
    attempt.open(this.#order, info);
    if (info.attemptCount > 1) this.#replay(attempt);
  }

  #replay(attempt: Attempt): void {
    if (this.#attempt !== attempt) return;
    // All at once: the buffer is bounded, and the upstream side queues what it cannot write yet.
    if (this.#body !== null) for (const chunk of this.#body.chunks) attempt.write(chunk);
    if (!this.#isRequestEnded) return;
    if (!wantsTunnel(this.#order)) attempt.end(this.#body?.trailers ?? null);
    this.#startPerTryTimeout();
  }

  #pickContext(): PickContext {
    const { hash, choice } = this.#order;
    const { metadataMatch } = choice;
    const ofConnection = this.#host.pickContext;
    const authority = this.#cluster.dynamicHosts === null ? null : this.#order.authority;
    const isPlain = hash === null && metadataMatch === null && authority === null;
    const pickContext = isPlain ? ofConnection : { ...ofConnection, hash, metadataMatch, authority };
    return this.#retry === null ? pickContext : this.#retry.pickContext(pickContext);
  }

  /** Something went to or came from the upstream. */
  #touch(): void {
    const idleMs = this.#order.retry?.perTryIdleTimeoutMs ?? 0;
    if (idleMs === 0 || this.#attempt === null || !this.#isRequestEnded) return;
    this.#host.deadlines.set('per-try-idle', idleMs, this.#host.settings.ctx.clock.monotonicMs());
  }

  #startPerTryTimeout(): void {
    this.#touch();
    const { perTryMs } = this.#order.timeouts;
    if (perTryMs === 0 || this.#attempt === null) return;
    const { deadlines, settings } = this.#host;
    deadlines.set('per-try', perTryMs, settings.ctx.clock.monotonicMs());
  }

  /** Headers that tell the upstream about this try. */
  #markRequest(): void {
    const { settings, info } = this.#host;
    const { headers, route, timeouts, hedges } = this.#order;
    if (!settings.router.suppressEnvoyHeaders && (timeouts.routeMs > 0 || timeouts.perTryMs > 0)) {
      const spentMs =
        info.requestEndMs < 0 || info.attemptCount === 1 ? 0 : settings.ctx.clock.monotonicMs() - info.requestEndMs;
      const leftMs = timeouts.routeMs === 0 ? Infinity : Math.max(0, timeouts.routeMs - Math.floor(spentMs));
      // A hedged try may go on after its time.
      const expectedMs = timeouts.perTryMs === 0 || hedges ? leftMs : Math.min(leftMs, timeouts.perTryMs);
      headers.set('x-envoy-expected-rq-timeout-ms', String(expectedMs));
    }
    if (route.attemptCountInRequest) headers.set('x-envoy-attempt-count', String(info.attemptCount));
  }

  #editResponse(headers: HeaderList, info: StreamInfo): void {
    const { route, choice } = this.#order;
    const { settings } = this.#host;
    if (!settings.router.suppressEnvoyHeaders && info.requestEndMs >= 0 && !wantsTunnel(this.#order)) {
      const elapsedMs = Math.max(0, Math.round(settings.ctx.clock.monotonicMs() - info.requestEndMs));
      headers.set('x-envoy-upstream-service-time', String(elapsedMs));
    }
    if (route.attemptCountInResponse) headers.set('x-envoy-attempt-count', String(info.attemptCount));
    if (info.cookiesToSet !== null) for (const cookie of info.cookiesToSet) headers.append('set-cookie', cookie);
    if (choice.response !== null) choice.response(headers, info);
    if (route.response !== null) route.response(headers, info);
  }

  #reportUnanswered(): void {
    const attempt = this.#attempt;
    if (attempt !== null && !this.#isResponding) this.#cluster.reportOutcome(attempt.host, { kind: 'timeout' });
  }
}
