/*
 * Long: one state machine. Both directions of a request share its state, and each way out of it (an answer of the proxy,
 * a reset, a time-out, the end) touches both.
 */
import type { HeaderList, RequestHead } from '@flotilla/http-codec';
import type { Clock, Random } from '@flotilla/runtime';
import type { AcceptedConnection } from '../ports/accepted-connection.ts';
import { ResponseFlag, type StreamInfo } from '@flotilla/stream';
import type { PickContext } from '../ports/cluster-manager.ts';
import type { DownstreamStream } from '../ports/downstream-stream.ts';
import type { BodySink } from '../ports/body-sink.ts';
import { Brake } from './brake.ts';
import type { FilterStream, ResponseHead } from '../ports/http-filter.ts';
import { FilterRun } from './filter-run.ts';
import * as replies from './local-reply.ts';
import type { ComposedReply } from './local-reply.ts';
import type { LocalReply } from '../ports/local-reply.ts';
import { countResponse, type ManagerSettings } from './manager-settings.ts';
import { placeOrder } from './order.ts';
import { answerDirectly, type AnsweredRequest, answerLocally } from './own-answer.ts';
import { prepareRequest } from './prepare-request.ts';
import { requestRecord } from './request-record.ts';
import { prepareResponseHeaders } from './response-headers.ts';
import { takeOrders } from './router-headers.ts';
import { Router, type RouterHost } from './router.ts';
import type { ClientCertificate, ClusterChoice, ForwardAction, RoutableRequest, Route } from '@flotilla/route';
import { replyToTimeout, startStreamTimeouts } from './stream-timeouts.ts';
import { acceptsTunnel, wantsTunnel } from '../protocol/tunnel.ts';
import type { StreamDeadlines, TimeoutKind, TimeoutOwner } from '../base/deadlines.ts';

/**
 *   filtering -> forwarding -> responding -> done
 *        '------------'-- local reply --'
 *
 * filtering: request filters run, one may have stopped. forwarding: the router works on it. responding: the
 * response's head went out. done: logged; late events are ignored.
 */
const State = { filtering: 0, forwarding: 1, responding: 2, done: 3 } as const;

/** One request's life, from its head to its access log. */
export class Exchange implements AnsweredRequest, FilterStream, RouterHost, TimeoutOwner {
  method: string;
  path: string;
  authority: string;
  scheme = 'http';
  readonly headers: HeaderList;
  /** What the client offers to switch to; null for nothing that counts. */
  readonly upgrade: string | null;
  readonly info: StreamInfo;
  readonly settings: ManagerSettings;
  route: Route | null = null;
  choice: ClusterChoice | null = null;
  readonly #stream: DownstreamStream;
  requestBodySize: 'none' | 'chunked' | number;
  #filters: FilterRun | null = null;
  #router: Router | null = null;
  #state: number = State.filtering;
  #isRequestEnded = false;
  #isBroken = false;
  #isTunnel = false;
  #isHeadSent = false;
  /** The response's head, while a filter keeps it. */
  #heldHead: ResponseHead | null = null;
  /** Trailers of a request that ended before the router had begun. */
  #trailers: HeaderList | null = null;
  #requestBrake: Brake | null = null;
  #responseBrake: Brake | null = null;
  #idleTimeoutMs: number;

  constructor(stream: DownstreamStream, settings: ManagerSettings, head: RequestHead) {
    this.#stream = stream;
    this.settings = settings;
    this.method = head.method;
    this.path = head.path;
    this.authority = head.authority;
    this.headers = head.headers;
    this.requestBodySize = head.body === 0 && !head.headers.has('content-length') ? 'none' : head.body;
    // A client that offers to switch to HTTP/2 is answered by HTTP/1.1, as by Envoy: HTTP/2 begins with its preface.
    this.upgrade = head.upgrade?.toLowerCase() === 'h2c' ? null : head.upgrade;
    this.#idleTimeoutMs = settings.streamIdleTimeoutMs;
    this.info = requestRecord(head, stream.isHttp2, stream.connection.info, settings.ctx.clock);
    stream.deadlines.owner = this;
    settings.stats.requests.value += 1;
    settings.stats.activeRequests.value += 1;
  }

  get connection(): AcceptedConnection {
    return this.#stream.connection;
  }

  get request(): RoutableRequest {
    return this;
  }

  get clientCertificate(): ClientCertificate | null {
    return this.info.connection.clientCertificate;
  }

  get deadlines(): StreamDeadlines {
    return this.#stream.deadlines;
  }

  get pickContext(): PickContext {
    return this.#stream.pickContext;
  }

  get clock(): Clock {
    return this.settings.ctx.clock;
  }

  get random(): Random {
    return this.settings.ctx.random;
  }

  get bufferLimitBytes(): number {
    return this.settings.bufferLimitBytes;
  }

  get isRequestEnded(): boolean {
    return this.#isRequestEnded;
  }

  /** Checks, routes and filters the request. */
  begin(head: RequestHead): void {
    const { settings, info } = this;
    const refused = prepareRequest(this, head, this.#stream.connection, settings, info);
    if (head.body === 'none' || head.body === 0) {
      this.#isRequestEnded = true;
      info.requestEndMs = info.startMs;
    }
    info.path = this.path;
    info.authority = this.authority;
    info.scheme = this.scheme;
    if (refused !== null) {
      if ((refused.flags & ResponseFlag.DownstreamProtocolError) !== 0) {
        settings.stats.protocolErrors.value += 1;
        // To Envoy's codec such a request has no head, and never ended.
        info.method = info.path = info.originalPath = info.authority = '';
        this.#isBroken = true;
      }
      if (refused.status === 400) this.#stream.closeAfterResponse();
      this.sendLocalReply(refused);
      return;
    }
    this.reroute();
    const { route } = this;
    if (this.upgrade !== null && !this.#letsUpgrade(this.upgrade.toLowerCase())) {
      this.#stream.closeAfterResponse();
      this.sendLocalReply(replies.upgradeRefused);
      return;
    }
    startStreamTimeouts(
      this.deadlines,
      settings,
      this.headers,
      route,
      this.#idleTimeoutMs,
      this.#isRequestEnded,
      info.startMs,
    );
    const plan = settings.plans.of(route, this.choice);
    if (plan.length > 0) {
      this.#filters = new FilterRun(
        plan,
        !wantsTunnel(this),
        () => this.holdRequest(this),
        () => this.holdResponse(this),
      );
      if (this.#isRequestEnded) this.#filters.request.end(null);
    }
    this.continueRequest();
  }

  /** Answers a request that could not be parsed. */
  refuse(reply: LocalReply): void {
    this.#stream.closeAfterResponse();
    if (this.#state >= State.responding) this.respondBroken(reply.flags, reply.details);
    else this.sendLocalReply(reply);
  }

  onRequestData(chunk: Buffer): void {
    if (this.#state === State.done) return;
    this.info.bytesReceived += chunk.length;
    this.#touch();
    if (this.#filters === null) this.#router?.onRequestData(chunk);
    else this.#filters.request.data(chunk);
  }

  onRequestEnd(trailers: HeaderList | null): void {
    if (this.#state === State.done) return;
    this.#isRequestEnded = true;
    this.info.requestEndMs = this.clock.monotonicMs();
    if (this.settings.requestTimeoutMs > 0) this.deadlines.clear('request');
    const forwarded = this.#stream.forwardsTrailers ? trailers : null;
    if (this.#filters !== null) this.#filters.request.end(forwarded);
    else if (this.#router === null) this.#trailers = forwarded;
    else this.#router.onRequestEnd(forwarded);
  }

  onDownstreamBlocked(): void {
    this.holdResponse(this.#stream);
  }

  onDownstreamDrained(): void {
    this.releaseResponse(this.#stream);
  }

  /** The client gave the request up: its connection is gone, or (HTTP/2) it reset the stream. */
  onClientGone(how: 'disconnect' | 'reset'): void {
    if (this.#state === State.done) return;
    const isReset = how === 'reset';
    this.info.responseFlags |= isReset
      ? ResponseFlag.DownstreamRemoteReset
      : ResponseFlag.DownstreamConnectionTermination;
    this.info.responseCodeDetails = isReset ? 'http2.remote_reset' : 'downstream_remote_disconnect';
    this.#isBroken = true;
    this.#finish();
  }

  /** The client broke the rules of its protocol, and its connection is closed for it. */
  onClientFaulty(details: string): void {
    if (this.#state === State.done) return;
    this.info.responseFlags |= ResponseFlag.DownstreamProtocolError;
    this.info.responseCode = 0;
    this.info.responseCodeDetails = details;
    this.#isBroken = true;
    this.#finish();
  }

  onTimeout(kind: TimeoutKind): void {
    if (this.#state === State.done) return;
    if (kind === 'route') return this.#router?.onRouteTimeout();
    if (kind === 'per-try') return this.#router?.onPerTryTimeout();
    if (kind === 'per-try-idle') return this.#router?.onPerTryIdleTimeout();
    if (kind === 'upstream-duration') return this.#router?.onUpstreamDurationTimeout();
    this.sendLocalReply(replyToTimeout(kind, this.#isRequestEnded, this.settings.stats));
  }

  reroute(): void {
    const { settings, info } = this;
    const route = settings.routes()?.match(this, this.random()) ?? null;
    this.route = route;
    this.choice = null;
    info.upstreamCluster = null;
    info.routeName = route?.name ?? null;
    info.virtualHostName = route?.virtualHostName ?? null;
    info.routeMetadata = route?.metadata ?? null;
    if (route?.action.kind !== 'forward') return;
    this.choice = route.action.pick(this, this.random());
    info.upstreamCluster = this.choice.cluster;
    this.#idleTimeoutMs = route.action.idleTimeoutMs ?? settings.streamIdleTimeoutMs;
  }

  continueRequest(): void {
    if (this.#state !== State.filtering) return;
    if (this.#filters !== null && !this.#filters.advance(this)) return;
    if (this.#state === State.filtering) this.#act();
  }

  continueResponse(): void {
    const head = this.#heldHead;
    if (head === null || this.#state !== State.responding) return;
    if (this.#filters !== null && !this.#filters.respond(this, head)) return;
    this.#heldHead = null;
    this.#sendHead(head);
  }

  sendLocalReply(reply: LocalReply): void {
    if (this.#state === State.done || this.#isHeadSent) return this.respondBroken(reply.flags, reply.details);
    this.#closeRouter();
    const answer = answerLocally(reply, this);
    // A filter that has the response in hand answers in its place: no filter sees that answer.
    if (this.#state === State.responding) this.#abandonFilters();
    this.#respondWhole(answer);
  }

  respondInformational(status: number, headers: HeaderList): void {
    if (this.#state >= State.responding) return;
    countResponse(this.settings.stats, status);
    this.#stream.response.informational(status, headers);
  }

  respondHead(status: number, headers: HeaderList, hasBody: boolean): void {
    if (this.#state < State.responding) this.#respond({ status, headers, hasBody, isLocal: false });
  }

  get borrowsData(): boolean {
    return this.#filters === null && !this.#stream.isHttp2;
  }

  respondData(chunk: Buffer): void {
    if (this.#state !== State.responding) return;
    this.#touch();
    if (this.#filters === null) this.#sendData(chunk);
    else this.#filters.response.data(chunk);
  }

  respondEnd(trailers: HeaderList | null): void {
    if (this.#state !== State.responding) return;
    if (this.#filters === null) this.#sendEnd(trailers);
    else this.#filters.response.end(trailers);
  }

  respondBroken(flags: number, details: string): void {
    if (this.#state === State.done) return;
    this.info.responseFlags |= flags;
    this.info.responseCodeDetails = details;
    this.#isBroken = true;
    this.#stream.reset();
    this.#finish();
  }

  becomeTunnel(): void {
    this.#isTunnel = true;
    this.#isRequestEnded = false;
    this.#stream.tunnel();
  }

  pauseRequest(): void {
    this.holdRequest(this.#stream);
  }

  resumeRequest(): void {
    this.releaseRequest(this.#stream);
  }

  holdRequest(holder: object): void {
    this.#requestBrake ??= new Brake(
      () => this.#stream.pauseRequest(),
      () => this.#stream.resumeRequest(),
    );
    this.#requestBrake.hold(holder);
  }

  releaseRequest(holder: object): void {
    this.#requestBrake?.release(holder);
  }

  holdResponse(holder: object): void {
    this.#responseBrake ??= new Brake(
      () => this.#router?.onDownstreamBlocked(),
      () => this.#router?.onDownstreamDrained(),
    );
    this.#responseBrake.hold(holder);
  }

  releaseResponse(holder: object): void {
    this.#responseBrake?.release(holder);
  }

  #letsUpgrade(type: string): boolean {
    const action = this.route?.action;
    const ofRoute = action?.kind === 'forward' ? action.upgrades.get(type) : undefined;
    return ofRoute ?? this.settings.upgrades.has(type);
  }

  /** All filters let the request pass: does what the route says. */
  #act(): void {
    const { route } = this;
    const { stats } = this.settings;
    stats.routed.value += 1;
    if (route === null) {
      stats.noRoute.value += 1;
      this.sendLocalReply(replies.routeNotFound);
      return;
    }
    const { action } = route;
    if (action.kind === 'forward') return this.#forward(route, action);
    stats.directResponses.value += 1;
    this.#respondWhole(answerDirectly(action, route, this));
  }

  #forward(route: Route, action: ForwardAction): void {
    const choice = this.choice ?? action.pick(this, this.random());
    const cluster = this.settings.ctx.clusters.get(choice.cluster);
    if (cluster === null) {
      this.settings.stats.noCluster.value += 1;
      this.info.upstreamCluster = null;
      this.sendLocalReply(replies.clusterNotFound(action.clusterNotFoundStatus));
      return;
    }
    const refused = this.settings.router.strictCheck?.(this.headers) ?? null;
    if (refused !== null) return this.sendLocalReply(refused);
    this.info.destinationService = cluster.destinationService;
    this.info.clusterMetadata = cluster.metadata;
    const orders = takeOrders(this.headers, action, this.settings.router);
    const order = placeOrder(
      this,
      route,
      action,
      choice,
      this.requestBodySize,
      this.upgrade,
      this.#stream.isHttp2,
      orders,
      this.info,
    );
    if (this.settings.router.suppressEnvoyHeaders && action.rewrite !== null)
      this.headers.remove('x-envoy-original-path');
    this.#state = State.forwarding;
    const router = new Router(this, order, cluster);
    this.#router = router;
    router.start();
    if (this.#router === router) this.#deliver(router);
  }

  /** Gives the router the request's body: what has waited, and all that comes. */
  #deliver(router: Router): void {
    if (this.#filters === null) {
      if (this.#isRequestEnded) router.onRequestEnd(this.#trailers);
      return;
    }
    this.releaseRequest(this);
    this.#filters.request.arrive(new RouterSink(router, () => this.#router === router));
  }

  #respondWhole({ status, headers, body }: ComposedReply): void {
    const hasBody = body !== null && body.length > 0 && this.method !== 'HEAD';
    this.#respond({ status, headers, hasBody, isLocal: true });
    if (hasBody) this.respondData(body);
    this.respondEnd(null);
  }

  #respond(head: ResponseHead): void {
    this.#state = State.responding;
    this.#touch();
    this.#heldHead = head;
    this.continueResponse();
  }

  #sendHead({ status, headers, hasBody }: ResponseHead): void {
    const { info } = this;
    info.responseCode = status;
    info.responseHeaders = headers;
    info.responseCodeDetails ??= 'via_upstream';
    if (!info.isHealthCheck) countResponse(this.settings.stats, status);
    prepareResponseHeaders(headers, this.headers, this.settings);
    this.#isHeadSent = true;
    // What may still come of the request is not waited for, unless both sides became a tunnel.
    const isTunnel = acceptsTunnel(this, status);
    if (!isTunnel && (!this.#isRequestEnded || wantsTunnel(this))) this.#stream.closeAfterResponse();
    this.info.responseStartMs = this.settings.ctx.clock.monotonicMs();
    this.#stream.response.head(status, headers, hasBody);
    if (this.#filters === null) return;
    this.releaseResponse(this);
    this.#filters.response.arrive({
      data: (chunk) => this.#sendData(chunk),
      end: (trailers) => this.#sendEnd(trailers),
    });
  }

  #sendData(chunk: Buffer): void {
    if (this.#state !== State.responding) return;
    this.info.bytesSent += chunk.length;
    this.#stream.response.data(chunk);
  }

  #sendEnd(trailers: HeaderList | null): void {
    if (this.#state !== State.responding) return;
    const forwarded = this.#stream.forwardsTrailers ? trailers : null;
    this.info.responseTrailers = forwarded;
    this.#stream.response.end(forwarded);
    this.#finish();
  }

  #abandonFilters(): void {
    this.#filters?.end();
    this.#filters = null;
  }

  #touch(): void {
    if (this.#idleTimeoutMs > 0) this.deadlines.set('stream-idle', this.#idleTimeoutMs, this.clock.monotonicMs());
  }

  #closeRouter(): void {
    const router = this.#router;
    this.#router = null;
    router?.close();
  }

  #finish(): void {
    if (this.#state === State.done) return;
    this.#state = State.done;
    this.#closeRouter();
    const { info, settings } = this;
    // A stream that is not whole on both sides is reset, whoever ends it (as Envoy counts).
    const isRefusedTunnel = wantsTunnel(this) && !this.#isTunnel;
    if (this.#isBroken || !this.#isRequestEnded || isRefusedTunnel) settings.stats.resets.value += 1;
    info.endMs = settings.ctx.clock.monotonicMs();
    this.#filters?.end();
    settings.stats.activeRequests.value -= 1;
    settings.stats.time.record(info.endMs - info.startMs);
    for (const record of settings.records) record(info);
    this.deadlines.clearAll();
    this.#stream.exchangeDone();
  }
}

/** Where a request's body leaves the filters. */
class RouterSink implements BodySink {
  readonly #router: Router;
  readonly #isWanted: () => boolean;

  constructor(router: Router, isWanted: () => boolean) {
    this.#router = router;
    this.#isWanted = isWanted;
  }

  data(chunk: Buffer): void {
    if (this.#isWanted()) this.#router.onRequestData(chunk);
  }

  end(trailers: HeaderList | null): void {
    if (this.#isWanted()) this.#router.onRequestEnd(trailers);
  }
}
