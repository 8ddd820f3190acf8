import type { Socket } from 'node:net';
import {
  CHUNK_END,
  chunkHead,
  type HeaderList,
  lastChunk,
  type RequestHead,
  serializeResponseHead,
  type Spelling,
  upgradeFields,
} from '@flotilla/http-codec';
import type { ResponseWriter } from '../../../ports/downstream-stream.ts';
import { SegmentWriter } from '../../../sockets/segment-writer.ts';

/** What the connection does when its client reads more slowly than responses come. */
export interface ResponseOwner {
  onResponseBlocked(): void;
  onResponseDrained(): void;
}

/**
 * The responses of one HTTP/1.1 connection, one after another: head and framing, body, back-pressure. What is written
 * in one turn goes out as one buffer.
 */
export class ResponseH1 implements ResponseWriter {
  /** The connection ends with this response. */
  isLast = false;
  /** Responses whose head is still to come are the last. */
  isDraining = false;
  /** The client reads too slowly. */
  isBlocked = false;
  readonly #socket: Socket;
  readonly #segments: SegmentWriter;
  readonly #owner: ResponseOwner;
  /** Of field names in messages without one of their own. */
  readonly #spelling: Spelling | null;
  #isHead = false;
  #isHttp10 = false;
  #isConnect = false;
  #upgrade: string | null = null;
  #isChunked = false;
  #isTunnel = false;
  #isFlushScheduled = false;

  constructor(socket: Socket, spelling: Spelling | null, owner: ResponseOwner) {
    this.#spelling = spelling;
    this.#socket = socket;
    this.#segments = new SegmentWriter(socket, () => this.#onBlocked());
    this.#owner = owner;
    socket.on('drain', () => this.#onDrain());
  }

  /** The next response answers this request; null: one that could not be read. */
  begin(request: RequestHead | null): void {
    this.#isHead = request?.method === 'HEAD';
    this.#isHttp10 = request?.minorVersion === 0;
    this.#isConnect = request?.method === 'CONNECT';
    this.#upgrade = request?.upgrade ?? null;
  }

  goOn(): void {
    this.#segments.text('HTTP/1.1 100 Continue\r\n\r\n');
  }

  informational(status: number, headers: HeaderList): void {
    if (this.#isHttp10) return;
    this.#segments.text(serializeResponseHead(status, headers, '', 1, this.#spelling));
    this.#scheduleFlush();
  }

  head(status: number, headers: HeaderList, hasBody: boolean): void {
    let extra = '';
    this.#isChunked = false;
    if (status === 101) {
      extra = headers.has('upgrade') ? 'connection: upgrade\r\n' : upgradeFields(this.#upgrade ?? '');
    } else if (this.#isConnect && status < 300) {
      // What follows is the tunnel's (RFC 9110, section 9.3.6).
      headers.remove('content-length');
    } else {
      if (!headers.has('content-length')) extra = this.#framing(status, hasBody);
      if (this.isLast || this.isDraining) {
        this.isLast = true;
        extra += 'connection: close\r\n';
      } else if (this.#isHttp10) extra += 'connection: keep-alive\r\n';
    }
    this.#segments.text(serializeResponseHead(status, headers, extra, this.#isHttp10 ? 0 : 1, this.#spelling));
    this.#scheduleFlush();
  }

  data(chunk: Buffer): void {
    if (this.#isChunked) {
      if (chunk.length === 0) return;
      this.#segments.text(chunkHead(chunk.length));
      this.#segments.data(chunk);
      this.#segments.text(CHUNK_END);
    } else this.#segments.data(chunk);
    this.#scheduleFlush();
  }

  end(trailers: HeaderList | null): void {
    if (this.#isChunked && !this.#isHead) this.#segments.text(lastChunk(trailers));
    this.flush();
    if (this.#isTunnel) this.#socket.end();
  }

  /** Bytes go out as they are from now on; `end` ends our half of the connection. */
  tunnel(): void {
    this.#isTunnel = true;
    this.isLast = true;
  }

  /** Writes out what has gathered. */
  flush(): void {
    this.#segments.flush();
  }

  /** Called at the end of the turn in which something was written. */
  flushScheduled(): void {
    this.#isFlushScheduled = false;
    this.flush();
  }

  #framing(status: number, hasBody: boolean): string {
    const isBodiless = status < 200 || status === 204 || status === 304;
    if (isBodiless) return '';
    if (!hasBody && !this.#isHead) return 'content-length: 0\r\n';
    if (this.#isHttp10) {
      this.isLast = true;
      return '';
    }
    this.#isChunked = true;
    return 'transfer-encoding: chunked\r\n';
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    process.nextTick(flushScheduled, this);
  }

  #onBlocked(): void {
    if (this.isBlocked) return;
    this.isBlocked = true;
    this.#owner.onResponseBlocked();
  }

  #onDrain(): void {
    if (!this.isBlocked) return;
    this.isBlocked = false;
    this.#owner.onResponseDrained();
  }
}

function flushScheduled(response: ResponseH1): void {
  response.flushScheduled();
}
