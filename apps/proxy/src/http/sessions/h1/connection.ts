import {
  createRequestParser,
  type HeaderList,
  type ParseError,
  type RequestHandler,
  type RequestHead,
  type RequestParser,
} from '@flotilla/http-codec';
import type { Timer } from '@flotilla/runtime';
import { replyToParseError } from '../../codec-reply.ts';
import type { DownstreamStream } from '../../../ports/downstream-stream.ts';
import { Exchange } from '../../exchange.ts';
import { requestHeadersTimeout } from '../../local-reply.ts';
import { countResponse, type ManagerSettings } from '../../manager-settings.ts';
import { Deadline, StreamDeadlines } from '../../../base/deadlines.ts';
import { PLAIN_PICK, type PickContext } from '../../../ports/cluster-manager.ts';
import type { AcceptedConnection, OpenConnection } from '../../../ports/accepted-connection.ts';
import { KNOWN_METHODS, unreadableHead } from './request-methods.ts';
import { ResponseH1, type ResponseOwner } from './response.ts';

/**
 * A client's HTTP/1.1 connection: one exchange at a time, pipelined requests wait in the parser. It owns the socket.
 */
export class ConnectionH1 implements DownstreamStream, RequestHandler, ResponseOwner, OpenConnection {
  readonly connection: AcceptedConnection;
  readonly response: ResponseH1;
  readonly deadlines: StreamDeadlines;
  readonly pickContext: PickContext;
  readonly isHttp2 = false;
  readonly forwardsTrailers: boolean;
  readonly #settings: ManagerSettings;
  readonly #parser: RequestParser;
  readonly #idle: Deadline;
  readonly #onClose: () => void;
  #durationTimer: Timer | null = null;
  #closeTimer: Timer | null = null;
  #exchange: Exchange | null = null;
  #requests = 0;
  #requestHasBody = false;
  #isRequestOver = true;
  #isTunnel = false;
  #isHeadTimed = false;
  #isOver = false;

  constructor(accepted: AcceptedConnection, settings: ManagerSettings, onClose: () => void) {
    if (accepted.record !== null) accepted.record.protocol = 'HTTP/1.1';
    const { ctx, stats } = settings;
    const { socket } = accepted;
    this.connection = accepted;
    this.forwardsTrailers = settings.forwardsTrailers;
    this.#settings = settings;
    this.#onClose = onClose;
    this.deadlines = new StreamDeadlines(ctx.clock);
    this.pickContext = {
      ...PLAIN_PICK,
      random: ctx.random,
      originalDestination: accepted.originalDestination,
    };
    this.#parser = createRequestParser(this, settings);
    this.response = new ResponseH1(socket, settings.headerCase.otherwise, this);
    this.#idle = new Deadline(ctx.clock, () => this.#onIdle());
    stats.connections.value += 1;
    stats.activeConnections.value += 1;
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    socket.on('end', () => this.#onClientEnd());
    socket.on('close', () => this.#onSocketClose());
    this.#watchIdle(ctx.clock.monotonicMs());
    if (settings.maxConnectionDurationMs > 0) {
      this.#durationTimer = ctx.clock.after(settings.maxConnectionDurationMs, () => this.#expire());
    }
    if (accepted.initial !== null) this.#onBytes(accepted.initial);
    socket.resume();
  }

  drain(): void {
    this.response.isDraining = true;
  }

  destroy(): void {
    this.connection.socket.destroy();
  }

  onHead(head: RequestHead): void {
    this.#idle.clear();
    this.#isHeadTimed = false;
    this.#requests += 1;
    this.response.begin(head);
    this.#requestHasBody = head.body !== 'none' && head.body !== 0;
    this.#isRequestOver = false;
    const limit = this.#settings.maxRequestsPerConnection;
    if (!head.keepAlive || this.response.isDraining || (limit > 0 && this.#requests >= limit)) {
      this.response.isLast = true;
      if (limit > 0 && this.#requests >= limit) this.#settings.stats.requestsReached.value += 1;
    }
    if (!this.#settings.allowsAnyMethod && !KNOWN_METHODS.has(head.method)) {
      this.#settings.stats.protocolErrors.value += 1;
      this.#refuse(replyToParseError('bad-method'));
      return;
    }
    // What follows a refused CONNECT is not HTTP.
    if (head.form === 'authority') this.response.isLast = true;
    const exchange = new Exchange(this, this.#settings, head);
    this.#exchange = exchange;
    const goesOn = head.expectsContinue && !this.#settings.proxiesContinue;
    if (goesOn) {
      countResponse(this.#settings.stats, 100);
      this.response.goOn();
    } else if (head.expectsContinue) head.headers.set('expect', '100-continue');
    exchange.begin(head);
    if (goesOn) this.response.flush();
  }

  onData(chunk: Buffer): void {
    this.#exchange?.onRequestData(chunk);
  }

  onEnd(trailers: HeaderList | null): void {
    this.#isRequestOver = true;
    const exchange = this.#exchange;
    if (exchange === null) {
      if (!this.response.isLast) this.#next();
      return;
    }
    if (this.#requestHasBody || this.#isTunnel) exchange.onRequestEnd(trailers);
  }

  onError(error: ParseError): void {
    this.#settings.stats.protocolErrors.value += 1;
    const { logger } = this.#settings.ctx;
    if (logger.isDebug()) {
      logger.debug('request refused', { client: this.connection.info.remoteAddress, reason: error.code });
    }
    this.#refuse(replyToParseError(error.code));
  }

  reset(): void {
    this.response.isLast = true;
    this.response.flush();
    this.#isOver = true;
    this.#parser.close();
    this.connection.socket.destroySoon();
  }

  tunnel(): void {
    this.#isTunnel = true;
    this.response.tunnel();
    this.#parser.tunnel();
    this.connection.socket.resume();
  }

  closeAfterResponse(): void {
    this.response.isLast = true;
  }

  pauseRequest(): void {
    this.connection.socket.pause();
  }

  resumeRequest(): void {
    if (!this.#parser.hasHeldBytes) this.connection.socket.resume();
  }

  exchangeDone(): void {
    const nowMs = this.#exchange?.info.endMs ?? 0;
    this.#exchange = null;
    if (this.#isOver) return;
    if (this.response.isLast || (!this.#isRequestOver && this.#requestHasBody)) {
      this.#close();
      return;
    }
    this.#watchIdle(nowMs);
    this.#next();
  }

  /** Lets the next request begin, unless the client does not even read the responses that it has. */
  #next(): void {
    if (!this.#isRequestOver || this.response.isBlocked) return;
    this.#parser.next();
    if (!this.#parser.hasHeldBytes) this.connection.socket.resume();
  }

  #onBytes(chunk: Buffer): void {
    if (this.#isOver) return;
    const { requestHeadersTimeoutMs, ctx } = this.#settings;
    if (requestHeadersTimeoutMs > 0 && this.#exchange === null && !this.#isHeadTimed) {
      const nowMs = ctx.clock.monotonicMs();
      this.#isHeadTimed = true;
      this.#idle.set(nowMs + requestHeadersTimeoutMs, nowMs);
    }
    this.#parser.feed(chunk);
    // Pipelined requests wait for the present one; more of them are not read meanwhile.
    if (this.#parser.hasHeldBytes) this.connection.socket.pause();
  }

  #refuse(reply: ReturnType<typeof replyToParseError>): void {
    this.#isRequestOver = true;
    this.response.isLast = true;
    this.response.begin(null);
    let exchange = this.#exchange;
    if (exchange === null) {
      exchange = new Exchange(this, this.#settings, unreadableHead());
      this.#exchange = exchange;
    }
    exchange.refuse(reply);
  }

  onResponseBlocked(): void {
    this.#exchange?.onDownstreamBlocked();
  }

  onResponseDrained(): void {
    if (this.#exchange !== null) this.#exchange.onDownstreamDrained();
    else if (!this.#isOver) this.#next();
  }

  #watchIdle(nowMs: number): void {
    const { idleTimeoutMs } = this.#settings;
    if (idleTimeoutMs > 0) this.#idle.set(nowMs + idleTimeoutMs, nowMs);
  }

  /** Its time is over: an idle connection ends now, a busy one with its response. */
  #expire(): void {
    this.#settings.stats.durationReached.value += 1;
    this.drain();
    if (this.#exchange === null && !this.#isOver) this.#close();
  }

  #onIdle(): void {
    if (this.#exchange !== null || this.#isOver) return;
    if (this.#isHeadTimed) {
      this.#refuse(requestHeadersTimeout);
      return;
    }
    this.#settings.stats.connectionIdleTimeouts.value += 1;
    this.#close();
  }

  /** What was written goes out; then the client has a moment to read it before the socket is gone. */
  #close(): void {
    this.#isOver = true;
    this.response.flush();
    this.#parser.close();
    const { socket } = this.connection;
    socket.end();
    socket.resume();
    const { delayedCloseTimeoutMs, ctx } = this.#settings;
    if (delayedCloseTimeoutMs > 0) this.#closeTimer = ctx.clock.after(delayedCloseTimeoutMs, () => socket.destroy());
    else socket.destroySoon();
  }

  #onClientEnd(): void {
    if (this.#isTunnel) {
      this.#parser.finish();
      return;
    }
    if (this.#isOver) return;
    this.#isOver = true;
    const exchange = this.#exchange;
    this.#parser.close();
    exchange?.onClientGone('disconnect');
    this.connection.socket.destroySoon();
  }

  #onSocketClose(): void {
    this.#isOver = true;
    this.#parser.close();
    this.#exchange?.onClientGone('disconnect');
    this.#idle.close();
    this.deadlines.close();
    this.#durationTimer?.cancel();
    this.#closeTimer?.cancel();
    this.#settings.stats.activeConnections.value -= 1;
    this.#onClose();
  }
}
