import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { HeaderList } from '@flotilla/http-codec';
import { type RequestHead } from '@flotilla/http-codec';
import { replyToParseError } from '../../codec-reply.ts';
import type { DownstreamStream } from '../../../ports/downstream-stream.ts';
import { Exchange } from '../../exchange.ts';
import { headerListOf } from '../../../protocol/http2/fields.ts';
import { letGo } from '../../../protocol/http2/let-go.ts';
import { EARLY_MS } from '../../../protocol/http2/early-resets.ts';
import { countResponse, type ManagerSettings } from '../../manager-settings.ts';
import type { StreamDeadlines } from '../../../base/deadlines.ts';
import type { PickContext } from '../../../ports/cluster-manager.ts';
import type { AcceptedConnection } from '../../../ports/accepted-connection.ts';
import { requestHeadOf } from './request-head.ts';
import { ResponseH2 } from './response.ts';

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** What a stream needs of its connection. */
export interface StreamOwner {
  readonly connection: AcceptedConnection;
  readonly settings: ManagerSettings;
  readonly pickContext: PickContext;
  /** The connection broke; else a closed stream was reset by the client. */
  readonly isGone: boolean;
  takeDeadlines(): StreamDeadlines;
  /** `isEarlyReset`: the client gave it up as soon as it had begun. */
  streamOver(stream: StreamH2, isEarlyReset: boolean): void;
  /** The stream is answered; it waits for `onEndSent`, until `left`. */
  leave(stream: StreamH2): void;
  left(stream: StreamH2): void;
}

/** One request on a client's HTTP/2 connection. */
export class StreamH2 implements DownstreamStream {
  readonly isHttp2 = true;
  readonly forwardsTrailers = true;
  readonly deadlines: StreamDeadlines;
  readonly response: ResponseH2;
  readonly #owner: StreamOwner;
  readonly #raw: ServerHttp2Stream;
  readonly #id: number;
  #exchange: Exchange | null = null;
  #trailers: HeaderList | null = null;
  #isRequestOver = false;
  /** Its exchange is over. */
  #isAnswered = false;
  #isEndSent = false;

  constructor(owner: StreamOwner, raw: ServerHttp2Stream) {
    this.#owner = owner;
    this.#raw = raw;
    this.#id = raw.id ?? 0;
    this.deadlines = owner.takeDeadlines();
    this.response = new ResponseH2(raw, this);
    raw.on('error', ignore);
    raw.on('close', () => this.#onRawClose());
  }

  get id(): number {
    return this.#id;
  }

  get connection(): AcceptedConnection {
    return this.#owner.connection;
  }

  get pickContext(): PickContext {
    return this.#owner.pickContext;
  }

  /** `fields`: names and values in their order, pseudo headers first. */
  begin(headers: IncomingHttpHeaders, fields: readonly string[], isWhole: boolean): void {
    const { settings } = this.#owner;
    const head = requestHeadOf(headers, fields, isWhole);
    this.#isRequestOver = isWhole;
    this.response.begin(head);
    const exchange = new Exchange(this, settings, head);
    this.#exchange = exchange;
    if (isTooLarge(head, settings)) {
      exchange.refuse(replyToParseError('head-too-large'));
      return;
    }
    if (!isWhole) this.#listen(exchange);
    if (head.expectsContinue && !settings.proxiesContinue) {
      countResponse(settings.stats, 100);
      this.response.goOn();
    } else if (head.expectsContinue) head.headers.set('expect', '100-continue');
    exchange.begin(head);
  }

  /** Of the exchange: nothing; the connection goes on whatever becomes of a request. */
  closeAfterResponse(): void {}

  reset(): void {
    // nghttp2 forgets what is queued for a stream that is reset; Node hands the queue over at the end of the turn.
    setImmediate(() => this.#raw.close(NGHTTP2_INTERNAL_ERROR)); // closing twice is nothing
  }

  /** Data frames carry the tunnel's bytes already (RFC 8441, section 5). */
  tunnel(): void {
    this.response.tunnel();
  }

  pauseRequest(): void {
    this.#raw.pause();
  }

  resumeRequest(): void {
    this.#raw.resume();
  }

  exchangeDone(): void {
    this.#exchange = null;
    this.#isAnswered = true;
    this.#owner.streamOver(this, false);
    if (this.#isRequestOver || this.#raw.destroyed) return;
    if (this.#isEndSent) this.#stopRequest();
    else this.#owner.leave(this);
  }

  /** The end of the response is on its way. */
  onEndSent(): void {
    this.#isEndSent = true;
    if (this.#isAnswered && !this.#isRequestOver) this.#stopRequest();
  }

  /** The client broke the protocol, and its connection is closed for it. */
  connectionFaulty(details: string): void {
    this.#exchange?.onClientFaulty(details);
  }

  /** The whole connection broke. */
  connectionGone(): void {
    this.#exchange?.onClientGone('disconnect');
    this.#owner.streamOver(this, false);
  }

  onResponseBlocked(): void {
    this.#exchange?.onDownstreamBlocked();
  }

  onResponseDrained(): void {
    this.#exchange?.onDownstreamDrained();
  }

  #listen(exchange: Exchange): void {
    const raw = this.#raw;
    raw.on('data', (chunk: Buffer) => exchange.onRequestData(chunk));
    raw.on('trailers', (trailers, _flags, ...rest: unknown[]) => {
      // As of requests: the fields in their order.
      this.#trailers = headerListOf(trailers, rest[0] as string[] | undefined);
    });
    raw.on('end', () => {
      if (raw.destroyed || raw.aborted) return;
      this.#isRequestOver = true;
      exchange.onRequestEnd(this.#trailers);
    });
  }

  /** What is left of the request is not wanted (RFC 9113, section 8.1). A reset before the end of the response would drop that. */
  #stopRequest(): void {
    this.#raw.close(NGHTTP2_NO_ERROR);
  }

  #onRawClose(): void {
    this.#owner.left(this);
    const { isGone, settings } = this.#owner;
    const exchange = this.#exchange;
    const isReset = exchange !== null && !isGone;
    const isEarly = isReset && settings.ctx.clock.monotonicMs() - exchange.info.startMs < EARLY_MS;
    // Before the exchange ends, which tells the connection.
    if (isEarly) this.#owner.streamOver(this, true);
    exchange?.onClientGone(isGone ? 'disconnect' : 'reset');
    this.#owner.streamOver(this, false);
    letGo(this.#raw);
  }
}

function isTooLarge({ headers }: RequestHead, { limits }: ManagerSettings): boolean {
  if (headers.size > limits.maxFields) return true;
  let bytes = 0;
  // RFC 9113, section 6.5.2: an entry counts 32 octets beside its text.
  for (const text of headers.flat) bytes += text.length + 16;
  return bytes > limits.maxHeadBytes;
}

function ignore(): void {}
