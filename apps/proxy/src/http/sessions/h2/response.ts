import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { HeaderList, RequestHead } from '@flotilla/http-codec';
import type { ResponseWriter } from '../../../ports/downstream-stream.ts';
import { addFields } from '../../../protocol/http2/fields.ts';
import type { ResponseOwner } from '../h1/response.ts';

/** The highest status that HTTP/2 libraries send; a client takes what is beyond for a 5xx (RFC 9110, section 15). */
const MAX_STATUS = 599;

/**
 * The response on one HTTP/2 stream. A client may reset it at any time, and Node throws for what is called on a closed
 * stream: each call asks first.
 */
export class ResponseH2 implements ResponseWriter {
  readonly #raw: ServerHttp2Stream;
  readonly #owner: ResponseOwner;
  #isHead = false;
  #isUpgrade = false;
  #isBlocked = false;
  #hasBody = false;
  #trailers: OutgoingHttpHeaders = {};

  constructor(raw: ServerHttp2Stream, owner: ResponseOwner) {
    this.#raw = raw;
    this.#owner = owner;
  }

  begin(request: RequestHead): void {
    this.#isHead = request.method === 'HEAD';
    this.#isUpgrade = request.upgrade !== null;
  }

  goOn(): void {
    if (this.#isOpen) this.#raw.additionalHeaders({ ':status': constants.HTTP_STATUS_CONTINUE });
  }

  informational(status: number, headers: HeaderList): void {
    if (this.#isOpen && !this.#raw.headersSent) this.#raw.additionalHeaders(addFields({ ':status': status }, headers));
  }

  head(status: number, headers: HeaderList, hasBody: boolean): void {
    if (!this.#isOpen) return;
    // An accepted upgrade is a 200 to the CONNECT that asked for it (RFC 8441, section 5).
    const isTunnel = status === 101 && this.#isUpgrade;
    const sent = isTunnel ? constants.HTTP_STATUS_OK : status > MAX_STATUS ? constants.HTTP_STATUS_BAD_GATEWAY : status;
    const fields = addFields({ ':status': sent }, headers);
    this.#hasBody = (hasBody || isTunnel) && !this.#isHead;
    if (!this.#hasBody) {
      // Node adds a date unless told otherwise; the connection manager has set it.
      this.#raw.respond(fields, { endStream: true });
      return;
    }
    this.#raw.on('wantTrailers', () => {
      if (this.#isOpen) this.#raw.sendTrailers(this.#trailers);
    });
    this.#raw.on('drain', () => this.#onDrain());
    this.#raw.respond(fields, { waitForTrailers: true });
  }

  data(chunk: Buffer): void {
    if (!this.#hasBody || !this.#isOpen || this.#raw.write(chunk) || this.#isBlocked) return;
    this.#isBlocked = true;
    this.#owner.onResponseBlocked();
  }

  end(trailers: HeaderList | null): void {
    if (!this.#hasBody || !this.#isOpen) return;
    if (trailers !== null) addFields(this.#trailers, trailers);
    this.#raw.end();
  }

  tunnel(): void {
    this.#hasBody = true;
  }

  get #isOpen(): boolean {
    return !this.#raw.destroyed && !this.#raw.closed;
  }

  #onDrain(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#owner.onResponseDrained();
  }
}
