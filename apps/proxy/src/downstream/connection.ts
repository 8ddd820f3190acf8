import type { HeaderList } from '@flotilla/http-codec';
import {
  CHUNK_END,
  chunkHead,
  createRequestParser,
  lastChunk,
  type ParseError,
  type RequestHandler,
  type RequestHead,
  type RequestParser,
  serializeResponseHead,
  upgradeFields,
} from '@flotilla/http-codec';
import type { Timer } from '@flotilla/runtime';
import { replyToParseError } from '../http/codec-reply.ts';
import type { DownstreamStream } from '../http/downstream-stream.ts';
import { Exchange } from '../http/exchange.ts';
import { requestHeadersTimeout } from '../http/local-reply.ts';
import type { ManagerSettings } from '../http/manager-settings.ts';
import { Deadline, StreamDeadlines } from '../http/timeout.ts';
import type { PickContext } from '../upstream/upstream.ts';
import type { AcceptedConnection, OpenConnection } from './accepted-connection.ts';
import { SegmentWriter } from './segment-writer.ts';
import { KNOWN_METHODS, unreadableHead } from './request-methods.ts';

/**
 * A client's HTTP/1.1 connection: one exchange at a time, pipelined requests wait in the parser. What is written in
 * one turn goes out as one buffer. It owns the socket.
 */
export class HttpConnection implements DownstreamStream, RequestHandler, OpenConnection {
  readonly connection: AcceptedConnection;
  readonly deadlines: StreamDeadlines;
  readonly pickContext: PickContext;
  readonly #settings: ManagerSettings;
  readonly #parser: RequestParser;
  readonly #writer: SegmentWriter;
  readonly #idle: Deadline;
  readonly #onClose: () => void;
  #durationTimer: Timer | null = null;
  #closeTimer: Timer | null = null;
  #exchange: Exchange | null = null;
  #requests = 0;
  #requestHasBody = false;
  #isRequestOver = true;
  #isHead = false;
  #isHttp10 = false;
  #isChunked = false;
  #isTunnel = false;
  #isHeadTimed = false;
  /** Close once the present response is out. */
  #isClosing = false;
  #isDraining = false;
  #isOver = false;
  #isFlushScheduled = false;
  #isBlocked = false;

  constructor(accepted: AcceptedConnection, settings: ManagerSettings, onClose: () => void) {
    const { ctx, stats } = settings;
    const { socket } = accepted;
    this.connection = accepted;
    this.#settings = settings;
    this.#onClose = onClose;
    this.deadlines = new StreamDeadlines(ctx.clock);
    this.pickContext = {
      random: ctx.random,
      avoid: null,
      avoidAttempts: 0,
      originalDestination: accepted.originalDestination,
    };
    this.#parser = createRequestParser(this, { limits: settings.limits, acceptHttp10: settings.acceptHttp10 });
    this.#writer = new SegmentWriter(socket);
    this.#idle = new Deadline(ctx.clock, () => this.#onIdle());
    stats.connections.value += 1;
    stats.activeConnections.value += 1;
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    socket.on('end', () => this.#onClientEnd());
    socket.on('drain', () => this.#onDrain());
    socket.on('close', () => this.#onSocketClose());
    this.#watchIdle(ctx.clock.monotonicMs());
    if (settings.maxConnectionDurationMs > 0) {
      this.#durationTimer = ctx.clock.after(settings.maxConnectionDurationMs, () => this.drain());
    }
    if (accepted.initial !== null) this.#onBytes(accepted.initial);
    socket.resume();
  }

  drain(): void {
    this.#isDraining = true;
  }

  destroy(): void {
    this.connection.socket.destroy();
  }

  onHead(head: RequestHead): void {
    this.#idle.clear();
    this.#isHeadTimed = false;
    this.#requests += 1;
    this.#isHead = head.method === 'HEAD';
    this.#isHttp10 = head.minorVersion === 0;
    this.#requestHasBody = head.body !== 'none' && head.body !== 0;
    this.#isRequestOver = false;
    const limit = this.#settings.maxRequestsPerConnection;
    if (!head.keepAlive || this.#isDraining || (limit > 0 && this.#requests >= limit)) this.#isClosing = true;
    if (!this.#settings.allowsAnyMethod && !KNOWN_METHODS.has(head.method)) {
      this.#refuse(replyToParseError('bad-method'));
      return;
    }
    // What follows a refused CONNECT is not HTTP.
    if (head.form === 'authority') this.#isClosing = true;
    const exchange = new Exchange(this, this.#settings, head);
    this.#exchange = exchange;
    if (head.expectsContinue) this.#writer.text('HTTP/1.1 100 Continue\r\n\r\n');
    exchange.begin(head);
    if (head.expectsContinue) this.#flush();
  }

  onData(chunk: Buffer): void {
    this.#exchange?.onRequestData(chunk);
  }

  onEnd(trailers: HeaderList | null): void {
    this.#isRequestOver = true;
    const exchange = this.#exchange;
    if (exchange === null) {
      if (!this.#isClosing) this.#next();
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

  writeInformational(status: number, headers: HeaderList): void {
    if (this.#isHttp10) return;
    this.#writer.text(serializeResponseHead(status, headers, ''));
    this.#scheduleFlush();
  }

  writeHead(status: number, headers: HeaderList, hasBody: boolean): void {
    let extra = '';
    this.#isChunked = false;
    if (status === 101) {
      extra = headers.has('upgrade') ? 'connection: upgrade\r\n' : upgradeFields(this.#exchange?.upgrade ?? '');
    } else {
      if (!headers.has('content-length')) extra = this.#framing(status, hasBody);
      if (this.#isClosing || this.#isDraining) {
        this.#isClosing = true;
        extra += 'connection: close\r\n';
      } else if (this.#isHttp10) extra += 'connection: keep-alive\r\n';
    }
    this.#writer.text(serializeResponseHead(status, headers, extra));
    this.#scheduleFlush();
  }

  writeData(chunk: Buffer): void {
    if (this.#isChunked) {
      if (chunk.length === 0) return;
      this.#writer.text(chunkHead(chunk.length));
      this.#writer.data(chunk);
      this.#writer.text(CHUNK_END);
    } else this.#writer.data(chunk);
    this.#scheduleFlush();
  }

  writeEnd(trailers: HeaderList | null): void {
    if (this.#isChunked && !this.#isHead) this.#writer.text(lastChunk(trailers));
    this.#flush();
    if (this.#isTunnel) this.connection.socket.end();
  }

  reset(): void {
    this.#isClosing = true;
    this.#flush();
    this.#isOver = true;
    this.#parser.close();
    this.connection.socket.destroySoon();
  }

  tunnel(): void {
    this.#isTunnel = true;
    this.#isClosing = true;
    this.#parser.tunnel();
    this.connection.socket.resume();
  }

  closeAfterResponse(): void {
    this.#isClosing = true;
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
    if (this.#isClosing || (!this.#isRequestOver && this.#requestHasBody)) {
      this.#close();
      return;
    }
    this.#watchIdle(nowMs);
    this.#next();
  }

  /** Lets the next request begin, unless the client does not even read the responses that it has. */
  #next(): void {
    if (!this.#isRequestOver || this.#isBlocked) return;
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

  #framing(status: number, hasBody: boolean): string {
    const isBodiless = status < 200 || status === 204 || status === 304;
    if (isBodiless) return '';
    if (!hasBody && !this.#isHead) return 'content-length: 0\r\n';
    if (this.#isHttp10) {
      this.#isClosing = true;
      return '';
    }
    this.#isChunked = true;
    return 'transfer-encoding: chunked\r\n';
  }

  #refuse(reply: ReturnType<typeof replyToParseError>): void {
    this.#isRequestOver = true;
    this.#isClosing = true;
    this.#isHead = false;
    this.#isHttp10 = false;
    let exchange = this.#exchange;
    if (exchange === null) {
      exchange = new Exchange(this, this.#settings, unreadableHead());
      this.#exchange = exchange;
    }
    exchange.refuse(reply);
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    process.nextTick(flushScheduled, this);
  }

  /** Called at the end of the turn in which something was written. */
  flushScheduled(): void {
    this.#isFlushScheduled = false;
    this.#flush();
  }

  #flush(): void {
    if (this.#writer.isEmpty) return;
    if (this.#writer.flush() || this.#isBlocked) return;
    this.#isBlocked = true;
    this.#exchange?.onDownstreamBlocked();
  }

  #onDrain(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    if (this.#exchange !== null) this.#exchange.onDownstreamDrained();
    else if (!this.#isOver) this.#next();
  }

  #watchIdle(nowMs: number): void {
    const { idleTimeoutMs } = this.#settings;
    if (idleTimeoutMs > 0) this.#idle.set(nowMs + idleTimeoutMs, nowMs);
  }

  #onIdle(): void {
    if (this.#exchange !== null || this.#isOver) return;
    if (this.#isHeadTimed) this.#refuse(requestHeadersTimeout);
    else this.#close();
  }

  /** What was written goes out; then the client has a moment to read it before the socket is gone. */
  #close(): void {
    this.#isOver = true;
    this.#flush();
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
    exchange?.onClientGone();
    this.connection.socket.destroySoon();
  }

  #onSocketClose(): void {
    this.#isOver = true;
    this.#parser.close();
    this.#exchange?.onClientGone();
    this.#idle.close();
    this.deadlines.close();
    this.#durationTimer?.cancel();
    this.#closeTimer?.cancel();
    this.#settings.stats.activeConnections.value -= 1;
    this.#onClose();
  }
}

function flushScheduled(connection: HttpConnection): void {
  connection.flushScheduled();
}
