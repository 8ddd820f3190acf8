import {
  CHUNK_END,
  CHUNKED_FIELD,
  chunkHead,
  contentLengthField,
  type HeaderList,
  lastChunk,
  type ResponseHead,
  serializeRequestHead,
  upgradeFields,
} from '@flotilla/http-codec';
import { limit } from '@flotilla/runtime';
import { wantsTunnel } from '../protocol/tunnel.ts';
import type { ConnectionH1, RequestOnConnection } from './connection-h1.ts';
import type { AttemptOwner, PooledAttempt } from './pooled.ts';
import type { UpstreamFailure, UpstreamHandler, UpstreamRequest } from '../ports/cluster-manager.ts';
import { noteConnection } from './dial.ts';
import { isIdempotent } from './idempotent.ts';

/** Up to here head and body, or a chunk and its framing, are copied into one buffer: cheaper than several writes. */
const MAX_JOINED_BYTES = 16_384;
/** What `write` takes before the connection is there without asking the caller to wait. */
const MAX_BUFFERED_BYTES = limit({
  name: 'proxy.h1-waiting-body-bytes',
  what: 'request body that waits for an HTTP/1.1 connection',
  default: 65_536,
  unit: 'bytes',
  past: 'the client is paused',
});

/**
 * One HTTP/1.1 request on its way through a pool.
 *
 * ```
 * waiting (in the pool's queue) -- attached --> sending -- request ended, response read --> over
 *      '-- overflow, connect failure, abort ------------- reset, protocol error, abort --> over
 * ```
 */
export class AttemptH1 implements PooledAttempt<ConnectionH1>, RequestOnConnection {
  readonly request: UpstreamRequest;
  readonly handler: UpstreamHandler;
  /** Some byte of a response has come. */
  hasResponseBytes = false;
  /** The protocol was switched: bytes go both ways as they are. */
  isTunnel = false;
  isPaused = false;
  readonly #pool: AttemptOwner<AttemptH1>;
  readonly #openedMs: number;
  #connection: ConnectionH1 | null = null;
  #isOver = false;
  /** The head, until it goes out: with the first part of the body when that is there in the same turn, else alone. */
  #head: string | null = null;
  /** Body chunks that came before the connection, or before the tunnel. */
  #buffered: Buffer[] | null = null;
  #bufferedBytes = 0;
  #bodyBytes = 0;
  #hasEnded: boolean;
  #trailers: HeaderList | null = null;
  #hasResponseEnded = false;

  constructor(pool: AttemptOwner<AttemptH1>, request: UpstreamRequest, handler: UpstreamHandler) {
    this.#pool = pool;
    this.request = request;
    this.handler = handler;
    this.#openedMs = pool.clock.monotonicMs();
    this.#hasEnded = request.body === 'none' && !wantsTunnel(request);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The pool has a connection: the request goes out. */
  attach(connection: ConnectionH1): void {
    const { request } = this;
    this.#connection = connection;
    connection.start(this);
    const { info } = request;
    if (info !== null) {
      noteConnection(info, connection.facts);
      info.upstreamProtocol = 'HTTP/1.1';
      info.upstreamRequestStartMs = this.#pool.clock.monotonicMs();
    }
    this.handler.onConnected();
    if (this.#isOver) return;
    const target = request.method === 'CONNECT' ? request.authority : request.path;
    this.#head = serializeRequestHead(
      request.method,
      target,
      request.authority,
      request.headers,
      framingFields(request),
      this.#pool.settings.headerCase.otherwise,
    );
    if (wantsTunnel(request)) this.flushHead();
    else this.#flushBuffered();
    if (this.#head !== null) process.nextTick(flushHead, this);
  }

  /** Sends the head if the body has not taken it along: the server may have something to say before a slow body. */
  flushHead(): void {
    const head = this.#head;
    if (head === null || this.#connection === null) return;
    this.#head = null;
    this.#connection.socket.write(head, 'latin1');
  }

  write(chunk: Buffer): boolean {
    if (this.#isOver || chunk.length === 0) return true;
    const connection = this.#connection;
    if (connection === null || (wantsTunnel(this.request) && !this.isTunnel)) {
      this.#buffered ??= [];
      this.#buffered.push(chunk);
      this.#bufferedBytes += chunk.length;
      return this.#bufferedBytes < MAX_BUFFERED_BYTES;
    }
    this.#send(connection, chunk);
    return !connection.socket.writableNeedDrain;
  }

  end(trailers: HeaderList | null): void {
    if (this.#isOver || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#trailers = trailers;
    if (this.#connection === null || (wantsTunnel(this.request) && !this.isTunnel)) return;
    this.#sendEnd(this.#connection);
  }

  pause(): void {
    if (this.#isOver || this.isPaused) return;
    this.isPaused = true;
    this.#connection?.pause();
  }

  resume(): void {
    if (this.#isOver || !this.isPaused) return;
    this.isPaused = false;
    this.#connection?.resume();
  }

  abort(): void {
    if (this.#isOver) return;
    const connection = this.#connection;
    this.#finish();
    if (connection === null) this.#pool.cancel(this);
    else connection.close();
  }

  /** The response's head came. */
  head(head: ResponseHead): void {
    const { info } = this.request;
    if (info !== null) info.upstreamResponseStartMs = this.#pool.clock.monotonicMs();
    if (head.isTunnel) {
      this.isTunnel = true;
      if (head.upgrade !== null) head.headers.set('upgrade', head.upgrade);
    }
    this.handler.onHead(head.status, head.headers, head.body !== 'none' && head.body !== 0);
    if (this.#isOver) return;
    if (this.isTunnel) this.#flushBuffered();
    else if (wantsTunnel(this.request)) this.#refusedTunnel();
  }

  /** The response is whole. */
  complete(trailers: HeaderList | null): void {
    this.#finish();
    const { info } = this.request;
    const nowMs = this.#pool.clock.monotonicMs();
    if (info !== null) info.upstreamResponseEndMs = nowMs;
    this.#pool.stats.upstream_rq_time.record(nowMs - this.#openedMs);
    this.handler.onEnd(trailers);
  }

  /** The peer ended its half of the tunnel, or (`isOver`) both are ended. */
  tunnelEnded(isOver: boolean): void {
    const { info } = this.request;
    if (isOver && !this.#isOver) this.#finish();
    if (this.#hasResponseEnded) return;
    this.#hasResponseEnded = true;
    if (info !== null) info.upstreamResponseEndMs = this.#pool.clock.monotonicMs();
    this.handler.onEnd(null);
  }

  /** The connection broke under the request. */
  connectionDied(detail: string): void {
    const isUnsent = this.#head !== null && this.#bodyBytes === 0;
    const mayBeSentAgain = !this.hasResponseBytes && (isUnsent || isIdempotent(this.request.method));
    this.fail(mayBeSentAgain ? 'reset-before-request' : 'reset', detail);
  }

  /** Ends the attempt with a failure. */
  fail(failure: UpstreamFailure, detail: string): void {
    if (this.#isOver) return;
    this.#finish();
    const { info } = this.request;
    if (info !== null && failure === 'overflow' && detail === 'pending') info.upstreamHost = null;
    if (info !== null && (failure === 'connect-failure' || failure === 'connect-timeout')) {
      info.upstreamTransportFailureReason = detail;
    }
    this.handler.onFailure(failure, detail);
  }

  #finish(): void {
    this.#isOver = true;
    this.#buffered = null;
    if (this.#connection !== null) this.#pool.requestOver();
    this.#connection = null;
  }

  /** A server that does not switch answers as to any other request: there is nothing more to send. */
  #refusedTunnel(): void {
    this.#buffered = null;
    this.#hasEnded = true;
    this.#connection?.requestDone();
  }

  #flushBuffered(): void {
    const connection = this.#connection;
    if (connection === null) return;
    const buffered = this.#buffered;
    this.#buffered = null;
    if (buffered !== null) {
      const wasFull = this.#bufferedBytes >= MAX_BUFFERED_BYTES;
      for (const chunk of buffered) this.#send(connection, chunk);
      // Otherwise the socket's own drain event tells.
      if (wasFull && !connection.socket.writableNeedDrain) this.handler.onDrain();
    }
    if (this.#hasEnded && !this.#isOver) this.#sendEnd(connection);
  }

  #send({ socket, writer }: ConnectionH1, chunk: Buffer): void {
    this.#bodyBytes += chunk.length;
    const isChunked = this.request.body === 'chunked' && !this.isTunnel;
    const head = this.#head;
    this.#head = null;
    if (chunk.length <= MAX_JOINED_BYTES) {
      if (head !== null) writer.text(head);
      if (isChunked) writer.text(chunkHead(chunk.length));
      writer.data(chunk);
      if (isChunked) writer.text(CHUNK_END);
      writer.flush();
      return;
    }
    socket.cork();
    const before = isChunked ? (head ?? '') + chunkHead(chunk.length) : head;
    if (before !== null) socket.write(before, 'latin1');
    socket.write(chunk);
    if (isChunked) socket.write(CHUNK_END, 'latin1');
    socket.uncork();
  }

  #sendEnd(connection: ConnectionH1): void {
    const { request } = this;
    if (this.isTunnel) connection.socket.end();
    else if (request.body === 'chunked') {
      connection.socket.write((this.#head ?? '') + lastChunk(this.#trailers), 'latin1');
    } else if (this.#head !== null) connection.socket.write(this.#head, 'latin1');
    this.#head = null;
    if (typeof request.body === 'number' && this.#bodyBytes !== request.body) {
      // The peer would wait for the rest, or take the next request for it.
      connection.close();
      this.fail('reset', 'the request body is not as long as announced');
      return;
    }
    if (request.info !== null) request.info.upstreamRequestEndMs = this.#pool.clock.monotonicMs();
    connection.requestDone();
  }
}

function flushHead(attempt: AttemptH1): void {
  attempt.flushHead();
}

/** Methods whose requests have no body as a rule; others say so when they have none (RFC 9110, section 8.6). */
const BODILESS_METHODS = new Set(['GET', 'HEAD', 'DELETE', 'TRACE', 'CONNECT']);

function framingFields(request: UpstreamRequest): string {
  if (request.upgrade !== null) return upgradeFields(request.upgrade);
  if (request.body === 'chunked') return CHUNKED_FIELD;
  if (typeof request.body === 'number') return contentLengthField(request.body);
  return BODILESS_METHODS.has(request.method) ? '' : contentLengthField(0);
}
