import type { UpstreamFailure, UpstreamHandler, UpstreamRequest } from '../ports/cluster-manager.ts';
import type { Socket } from 'node:net';
import {
  createResponseParser,
  type HeaderList,
  type ParseError,
  type ResponseHandler,
  type ResponseHead,
  type ResponseParser,
} from '@flotilla/http-codec';
import { SegmentWriter } from '../sockets/segment-writer.ts';
import type { SharedReader } from '../sockets/shared-reader.ts';
import type { ConnectionOwner, PooledConnection } from './pooled.ts';
import type { UpstreamConnectionFacts } from '../ports/upstream-connection-facts.ts';

/** The request that a connection carries, as its connection sees it. */
export interface RequestOnConnection {
  readonly request: Pick<UpstreamRequest, 'method' | 'upgrade'>;
  readonly handler: Pick<UpstreamHandler, 'borrowsData' | 'onData' | 'onDrain' | 'onInformational'>;
  /** Some byte of a response has come. */
  hasResponseBytes: boolean;
  readonly isTunnel: boolean;
  readonly isPaused: boolean;
  head(head: ResponseHead): void;
  /** The response is whole. */
  complete(trailers: HeaderList | null): void;
  /** The peer ended its half; `isOver`: ours is ended, too. */
  tunnelEnded(isOver: boolean): void;
  connectionDied(reason: string): void;
  fail(failure: UpstreamFailure, detail: string): void;
}

/**
 * One HTTP/1.1 connection to a host: the socket, its response parser, and the attempt that is using it.
 *
 * ```
 * idle -- start --> busy -- request sent and response read --> idle
 *                     '---- last request, upgrade, fault ----> closed
 * ```
 */
export class ConnectionH1 implements ResponseHandler, PooledConnection {
  readonly socket: Socket;
  readonly writer: SegmentWriter;
  readonly facts: UpstreamConnectionFacts;
  /** Version of the transport that it was made with. */
  readonly transportVersion: number;
  readonly createdMs: number;
  /** When it last became idle. */
  idleSinceMs = 0;
  isReady = false;
  /** Requests that were started on it. */
  requests = 0;
  readonly #pool: ConnectionOwner<ConnectionH1>;
  readonly #parser: ResponseParser;
  #attempt: RequestOnConnection | null = null;
  #keepAlive = false;
  #isRequestDone = false;
  #isResponseDone = false;
  /** Between the first byte of a response and its end; an interim one ends with its head. */
  #isResponseBegun = false;
  #trailers: HeaderList | null = null;
  /** It was broken under a request. */
  #wasBusy = false;
  #isClosed = false;
  /** Why the socket broke, for the failure's detail. */
  #error: string | null = null;

  constructor(
    pool: ConnectionOwner<ConnectionH1>,
    socket: Socket,
    reader: SharedReader,
    facts: UpstreamConnectionFacts,
    transportVersion: number,
  ) {
    this.#pool = pool;
    this.socket = socket;
    this.facts = facts;
    this.transportVersion = transportVersion;
    this.createdMs = pool.clock.monotonicMs();
    this.#parser = createResponseParser(this, { headerCase: pool.settings.headerCase });
    this.writer = new SegmentWriter(socket, () => undefined);
    reader.onBytes = (bytes) => this.#onBytes(bytes);
    socket.on('drain', () => this.#attempt?.handler.onDrain());
    socket.on('end', () => this.#onFin());
    socket.on('error', (error) => (this.#error = error.message));
    socket.on('close', () => this.#onClosed());
    socket.resume();
  }

  /** The peer has gone, or said so. */
  get isDead(): boolean {
    return this.#isClosed || this.socket.destroyed || this.socket.readableEnded;
  }

  get isIdle(): boolean {
    return this.#attempt === null;
  }

  get hasRoom(): boolean {
    return this.#attempt === null;
  }

  /** Gives the idle connection to an attempt. */
  start(attempt: RequestOnConnection): void {
    this.#attempt = attempt;
    this.#keepAlive = false;
    this.#isRequestDone = false;
    this.#isResponseDone = false;
    this.#isResponseBegun = false;
    this.#trailers = null;
    this.requests += 1;
    this.#parser.expect(attempt.request.method, attempt.request.upgrade !== null);
  }

  /** The attempt has written all of its request. */
  requestDone(): void {
    this.#isRequestDone = true;
    // Only a tunnel is still attached when the response is over.
    if (this.#isResponseDone) this.#settle();
  }

  pause(): void {
    this.#parser.pause();
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
    this.#parser.resume();
    if (this.#isResponseDone) this.#settle();
    else if (this.#attempt !== null && this.isDead) this.#die();
  }

  /** Breaks the connection; its attempt hears nothing of it. */
  close(): void {
    if (this.#attempt !== null) this.#wasBusy = true;
    this.#attempt = null;
    this.#parser.close();
    this.socket.destroy();
  }

  onInformational(status: number, headers: HeaderList): void {
    this.#isResponseBegun = false;
    this.#attempt?.handler.onInformational(status, headers);
  }

  onHead(head: ResponseHead): void {
    this.#keepAlive = head.keepAlive;
    this.#attempt?.head(head);
  }

  onData(chunk: Buffer): void {
    const handler = this.#attempt?.handler;
    handler?.onData(handler.borrowsData ? chunk : Buffer.from(chunk));
  }

  onEnd(trailers: HeaderList | null): void {
    // Settled when the parser has returned: bytes after the response would belong to nobody's request.
    this.#isResponseDone = true;
    this.#trailers = trailers;
  }

  onError(error: ParseError): void {
    this.#breakOff(error.message);
  }

  /** A response that is not HTTP, or that ends before its end (Envoy calls both a protocol error). */
  #breakOff(detail: string): void {
    const attempt = this.#attempt;
    this.#pool.stats.upstream_cx_protocol_error.value += 1;
    this.close();
    attempt?.fail('protocol-error', detail);
  }

  #settle(): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    if (attempt.isTunnel) {
      // The peer ended its half. Ours goes on until the attempt ends it.
      if (this.#isRequestDone) this.close();
      attempt.tunnelEnded(this.#isRequestDone);
      return;
    }
    this.#attempt = null;
    if (this.#parser.hasHeldBytes) this.#pool.stats.upstream_cx_protocol_error.value += 1;
    const canReuse = this.#keepAlive && this.#isRequestDone && !this.#parser.hasHeldBytes && !this.isDead;
    // Paused by its last chunk: the next request must not inherit that.
    if (attempt.isPaused && canReuse) {
      this.#parser.resume();
      this.socket.resume();
    }
    // The pool comes first: what the end of this attempt starts may use this connection.
    if (canReuse) this.#pool.release(this);
    else this.close();
    attempt.complete(this.#trailers);
  }

  #onBytes(chunk: Buffer): void {
    const attempt = this.#attempt;
    if (attempt === null) {
      // A server that talks unasked cannot be trusted to answer the next request.
      this.#pool.stats.upstream_cx_protocol_error.value += 1;
      this.close();
      return;
    }
    attempt.hasResponseBytes = true;
    this.#isResponseBegun = true;
    this.#parser.feed(chunk, true);
    if (this.#isResponseDone) this.#settle();
  }

  #onFin(): void {
    if (this.#attempt === null) {
      this.#pool.endedIdle(this);
      this.socket.destroy();
      return;
    }
    this.#parser.finish();
    if (this.#isResponseDone) this.#settle();
    else if (this.#attempt !== null && !this.#attempt.isPaused) this.#die();
  }

  #onClosed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const attempt = this.#attempt;
    this.#pool.closed(this, this.#wasBusy || attempt !== null);
    if (attempt === null) return;
    if (this.#isResponseDone) {
      this.#attempt = null;
      attempt.tunnelEnded(true);
    } else this.#die();
  }

  #die(): void {
    const attempt = this.#attempt;
    if (this.#isResponseBegun && attempt?.isTunnel === false) {
      this.#breakOff(this.#error ?? 'the response is cut off');
      return;
    }
    this.close();
    attempt?.connectionDied(this.#error ?? 'connection termination');
  }
}
