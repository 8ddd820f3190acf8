import { constants, type ClientHttp2Stream, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import { HeaderList } from '@flotilla/http-codec';
import { limit } from '@flotilla/runtime';
import { addFields, headerListOf } from '../protocol/http2/fields.ts';
import { letGo } from '../protocol/http2/let-go.ts';
import { wantsTunnel } from '../protocol/tunnel.ts';
import type { ConnectionH2 } from './connection-h2.ts';
import type { AttemptOwner, PooledAttempt } from './pooled.ts';
import type { UpstreamFailure, UpstreamHandler, UpstreamRequest } from '../ports/cluster-manager.ts';
import { noteConnection } from './dial.ts';
import { isIdempotent } from './idempotent.ts';

const {
  NGHTTP2_CANCEL,
  NGHTTP2_FLAG_END_STREAM,
  NGHTTP2_INTERNAL_ERROR,
  NGHTTP2_NO_ERROR,
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_REFUSED_STREAM,
} = constants;

/** What `write` takes before the connection is there without asking the caller to wait. */
const MAX_BUFFERED_BYTES = limit({
  name: 'proxy.h2-waiting-body-bytes',
  what: 'request body that waits for an HTTP/2 connection',
  default: 65_536,
  unit: 'bytes',
  past: 'the client is paused',
});

/**
 * One request on its way through an HTTP/2 pool.
 *
 * ```
 * waiting (in the pool's queue) -- attached --> open -- response whole --> over
 *      '-- overflow, connect failure, abort ------ reset, connection gone, abort --> over
 * ```
 */
export class AttemptH2 implements PooledAttempt<ConnectionH2> {
  readonly request: UpstreamRequest;
  readonly handler: UpstreamHandler;
  readonly #pool: AttemptOwner<AttemptH2>;
  readonly #openedMs: number;
  #connection: ConnectionH2 | null = null;
  #stream: ClientHttp2Stream | null = null;
  #isOver = false;
  #isPaused = false;
  #hasHead = false;
  /** The head was all of it. */
  #isResponseWhole = false;
  /** An upgrade was accepted: data frames carry its bytes. */
  #isTunnel = false;
  #buffered: Buffer[] | null = null;
  #bufferedBytes = 0;
  #hasEnded: boolean;
  #trailers: OutgoingHttpHeaders = {};
  #responseTrailers: HeaderList | null = null;
  #hasResponseEnded = false;

  constructor(pool: AttemptOwner<AttemptH2>, request: UpstreamRequest, handler: UpstreamHandler) {
    this.#pool = pool;
    this.request = request;
    this.handler = handler;
    this.#openedMs = pool.clock.monotonicMs();
    this.#hasEnded = isWhole(request);
  }

  attach(connection: ConnectionH2): void {
    const { request } = this;
    const { info } = request;
    this.#connection = connection;
    if (info !== null) {
      noteConnection(info, connection.facts);
      info.upstreamProtocol = 'HTTP/2';
      info.upstreamRequestStartMs = this.#pool.clock.monotonicMs();
    }
    this.handler.onConnected();
    if (this.#isOver) return;
    const stream = connection.start(fieldsOf(request), isWhole(request));
    if (stream === null) {
      // Nothing of it went out. Not from inside `open`: its caller does not know the attempt yet.
      process.nextTick(() => this.fail('refused-stream', 'the connection takes no more streams'));
      return;
    }
    this.#stream = stream;
    this.#listen(stream);
    if (isWhole(request)) this.#requestEnded();
    else this.#flushBuffered(stream);
    if (this.#isPaused) stream.pause();
  }

  write(chunk: Buffer): boolean {
    if (this.#isOver || chunk.length === 0) return true;
    if (this.#stream === null || this.#waitsForTunnel) {
      this.#buffered ??= [];
      this.#buffered.push(chunk);
      this.#bufferedBytes += chunk.length;
      return this.#bufferedBytes < MAX_BUFFERED_BYTES;
    }
    return this.#stream.write(chunk);
  }

  end(trailers: HeaderList | null): void {
    if (this.#isOver || this.#hasEnded) return;
    this.#hasEnded = true;
    if (trailers !== null) addFields(this.#trailers, trailers);
    if (this.#stream !== null && !this.#waitsForTunnel) this.#sendEnd(this.#stream);
  }

  pause(): void {
    this.#isPaused = true;
    this.#stream?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#stream?.resume();
  }

  abort(): void {
    if (this.#isOver) return;
    const stream = this.#stream;
    const isWaiting = this.#connection === null;
    this.#finish();
    if (isWaiting) this.#pool.cancel(this);
    else if (stream !== null && !stream.destroyed) {
      if (!this.#isResponseWhole) this.#pool.stats.upstream_rq_tx_reset.value += 1;
      stream.close(this.#isResponseWhole ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
    }
  }

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

  get #waitsForTunnel(): boolean {
    return wantsTunnel(this.request) && !this.#isTunnel;
  }

  #listen(stream: ClientHttp2Stream): void {
    const { handler } = this;
    stream.on('headers', (headers) => {
      if (!this.#isOver)
        handler.onInformational(headers[':status'] ?? 100, headerListOf(headers, undefined) ?? new HeaderList());
    });
    stream.on('response', (headers, flags, ...rest: unknown[]) => {
      // Node passes the fields in their order, too; its types do not say so yet.
      if (this.#isOver) return;
      // Not before: frames that are read at once have their data before the event of their head.
      stream.on('data', (chunk: Buffer) => {
        if (!this.#isOver) handler.onData(chunk);
      });
      this.#onHead(headers, flags, rest[0] as string[] | undefined);
    });
    stream.on('trailers', (trailers, _flags, ...rest: unknown[]) => {
      this.#responseTrailers = headerListOf(trailers, rest[0] as string[] | undefined);
    });
    stream.on('drain', () => {
      if (!this.#isOver) handler.onDrain();
    });
    stream.on('end', () => this.#onEnd(stream));
    stream.on('wantTrailers', () => {
      // Node throws for a stream that has been reset meanwhile.
      if (!stream.destroyed && !stream.closed) stream.sendTrailers(this.#trailers);
    });
    stream.on('close', () => {
      this.#onClose(stream);
      letGo(stream);
    });
  }

  #onHead(headers: IncomingHttpHeaders, flags: number, fields: string[] | undefined): void {
    const { request } = this;
    const { info } = request;
    this.#hasHead = true;
    if (info !== null) info.upstreamResponseStartMs = this.#pool.clock.monotonicMs();
    let status = Number(headers[':status'] ?? 0);
    const list = headerListOf(headers, fields) ?? new HeaderList();
    const isAccepted = wantsTunnel(request) && status >= 200 && status < 300;
    if (isAccepted) {
      this.#isTunnel = true;
      if (request.upgrade !== null) {
        status = 101;
        list.set('upgrade', request.upgrade);
      }
    }
    const hasBody = (flags & NGHTTP2_FLAG_END_STREAM) === 0;
    this.#isResponseWhole = !hasBody;
    this.handler.onHead(status, list, hasBody);
    if (this.#isOver || this.#stream === null) return;
    if (this.#isTunnel) this.#flushBuffered(this.#stream);
  }

  #onEnd(stream: ClientHttp2Stream): void {
    // A broken stream "ends", too, before it closes.
    if (this.#isOver || !this.#hasHead || stream.aborted || stream.destroyed || stream.rstCode > NGHTTP2_NO_ERROR)
      return;
    this.#complete();
  }

  #complete(): void {
    const { info } = this.request;
    const nowMs = this.#pool.clock.monotonicMs();
    if (info !== null) info.upstreamResponseEndMs = nowMs;
    this.#hasResponseEnded = true;
    if (this.#isTunnel && !this.#hasEnded) {
      // The peer ended its half. Ours goes on until the attempt ends it.
      this.handler.onEnd(null);
      return;
    }
    const stream = this.#stream;
    const isCutShort = !this.#hasEnded;
    this.#finish();
    this.#pool.stats.upstream_rq_time.record(nowMs - this.#openedMs);
    // The answer is whole and nobody wants the rest of the request. The code is Envoy's.
    if (isCutShort) {
      this.#pool.stats.upstream_rq_tx_reset.value += 1;
      stream?.close(NGHTTP2_INTERNAL_ERROR);
    }
    this.handler.onEnd(this.#responseTrailers);
  }

  #onClose(stream: ClientHttp2Stream): void {
    if (this.#isOver) return;
    if (this.#hasResponseEnded) {
      this.#finish();
      return;
    }
    const code = stream.rstCode ?? NGHTTP2_NO_ERROR;
    const isFaulty = this.#connection?.isFaulty === true;
    const isBroken = this.#connection?.isBroken === true && !isFaulty;
    if (isBroken && code !== NGHTTP2_REFUSED_STREAM) {
      const mayBeSentAgain = !this.#hasHead && isIdempotent(this.request.method);
      return this.fail(mayBeSentAgain ? 'reset-before-request' : 'reset', 'connection termination');
    }
    const { stats } = this.#pool;
    if (code === NGHTTP2_REFUSED_STREAM) this.fail('refused-stream', '');
    else if (code === NGHTTP2_PROTOCOL_ERROR || isFaulty) {
      // Envoy takes it for a fault that it found itself.
      stats.upstream_rq_tx_reset.value += 1;
      this.fail('protocol-error', '');
    } else if (code === NGHTTP2_NO_ERROR && this.#hasHead) this.#complete();
    else {
      stats.upstream_rq_rx_reset.value += 1;
      this.fail('remote-reset', '');
    }
  }

  #flushBuffered(stream: ClientHttp2Stream): void {
    if (this.#waitsForTunnel) return;
    const buffered = this.#buffered;
    this.#buffered = null;
    if (buffered !== null) {
      const wasFull = this.#bufferedBytes >= MAX_BUFFERED_BYTES;
      let isWritable = true;
      for (const chunk of buffered) isWritable = stream.write(chunk);
      // Otherwise the stream's own drain event tells.
      if (wasFull && isWritable) this.handler.onDrain();
    }
    if (this.#hasEnded && !this.#isOver) this.#sendEnd(stream);
  }

  #sendEnd(stream: ClientHttp2Stream): void {
    stream.end();
    this.#requestEnded();
  }

  #requestEnded(): void {
    const { info } = this.request;
    if (info !== null) info.upstreamRequestEndMs = this.#pool.clock.monotonicMs();
  }

  #finish(): void {
    this.#isOver = true;
    this.#buffered = null;
    if (this.#connection !== null) this.#pool.requestOver();
    this.#connection = null;
  }
}

function isWhole(request: UpstreamRequest): boolean {
  return request.body === 'none' && !wantsTunnel(request);
}

/** An upgrade goes as the extended CONNECT that it stands for (RFC 8441). */
function fieldsOf({ method, path, authority, scheme, headers, body, upgrade }: UpstreamRequest): OutgoingHttpHeaders {
  const isConnect = method === 'CONNECT';
  const fields: OutgoingHttpHeaders = { ':method': upgrade === null ? method : 'CONNECT', ':authority': authority };
  if (!isConnect) {
    fields[':scheme'] = scheme;
    fields[':path'] = path;
  }
  if (upgrade !== null) fields[':protocol'] = upgrade;
  if (typeof body === 'number') fields['content-length'] = body;
  return addFields(fields, headers);
}
