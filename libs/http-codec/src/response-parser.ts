import { type HeaderCase, LOWER_CASE } from './spelling.ts';
import type { BodyFraming } from './body-framing.ts';
import { parseConnection, removeNominated } from './connection-field.ts';
import type { HeaderList } from './header-list.ts';
import { defaultLimits, type ParserLimits } from './limits.ts';
import { type BodyHandler, type HeadOutcome, MessageParser } from './message-parser.ts';
import { ParseError, type ParseErrorCode } from './parse-error.ts';

/** The head of one response. Hop-by-hop fields are not in `headers`; `content-length` is. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** 0 or 1. */
  readonly minorVersion: number;
  readonly headers: HeaderList;
  /** `until-close` too for an accepted upgrade or CONNECT: all that follows is data. */
  readonly body: BodyFraming;
  /** The server lets the connection be used again. */
  readonly keepAlive: boolean;
  /** A 101 to an upgrade, or a 2xx to CONNECT. */
  readonly isTunnel: boolean;
  readonly upgrade: string | null;
}

export interface ResponseHandler extends BodyHandler {
  /** An interim response (100, 103, …); the final one follows. */
  onInformational(status: number, headers: HeaderList): void;
  onHead(head: ResponseHead): void;
}

export interface ResponseParserOptions {
  readonly limits?: Partial<ParserLimits>;
  /** Default: accepted. */
  readonly refuseHttp10?: boolean;
  /** Default: names are lowered. */
  readonly headerCase?: HeaderCase;
}

/** Parses responses, one for each `expect`. Bytes that come without one are held (`hasHeldBytes`). */
export class ResponseParser extends MessageParser {
  readonly #handler: ResponseHandler;
  readonly #refuseHttp10: boolean;
  #method = '';
  #isUpgrade = false;
  #status = 0;
  #reason = '';
  #minorVersion = 1;
  #informational = 0;

  constructor(handler: ResponseHandler, limits: ParserLimits, headerCase: HeaderCase, refuseHttp10: boolean) {
    super(handler, limits, headerCase, false);
    this.#handler = handler;
    this.#refuseHttp10 = refuseHttp10;
  }

  /** A request went out: its response may come. The method decides on the body; `isUpgrade` lets a 101 be final. */
  expect(method: string, isUpgrade = false): void {
    this.#method = method;
    this.#isUpgrade = isUpgrade;
    this.#informational = 0;
    this.startMessage();
  }

  protected override readStartLine(text: string, end: number): ParseErrorCode | null {
    // HTTP/1.1 200 OK; the reason and even the space before it may be missing.
    if (end < 12 || !text.startsWith('HTTP/', 0)) return 'bad-status-line';
    const minor = text.startsWith('1.1 ', 5) ? 1 : text.startsWith('1.0 ', 5) ? 0 : -1;
    if (minor === -1) return /^HTTP\/\d\.\d /.test(text) ? 'version-not-supported' : 'bad-status-line';
    if (minor === 0 && this.#refuseHttp10) return 'http10-refused';
    const hundreds = text.charCodeAt(9) - 0x30;
    const tens = text.charCodeAt(10) - 0x30;
    const ones = text.charCodeAt(11) - 0x30;
    if (hundreds < 1 || hundreds > 9 || tens < 0 || tens > 9 || ones < 0 || ones > 9) return 'bad-status-line';
    if (end > 12 && text.charCodeAt(12) !== 0x20) return 'bad-status-line';
    this.#minorVersion = minor;
    this.#status = hundreds * 100 + tens * 10 + ones;
    this.#reason = end > 13 ? text.substring(13, end) : '';
    return null;
  }

  protected override takeHead(headers: HeaderList): HeadOutcome {
    const status = this.#status;
    if (status < 200 && !(status === 101 && this.#isUpgrade)) {
      if (status === 101) return new ParseError('bad-status-line');
      if (++this.#informational > this.limits.maxInformational) return new ParseError('too-many-informational');
      this.#handler.onInformational(status, headers);
      return 'again';
    }
    const { facts } = this;
    if (facts.isChunked && this.#minorVersion === 0) return new ParseError('transfer-encoding-in-http10');
    if (status === 204 && (facts.isChunked || facts.contentLength > 0)) return new ParseError('no-content-with-body');
    const connection = parseConnection(facts.connection);
    if (connection.nominated.length > 0 && !removeNominated(headers, connection.nominated)) {
      return new ParseError('bad-connection');
    }
    const isTunnel = status === 101 || (this.#method === 'CONNECT' && status < 300);
    const body = this.#bodyOf(status, isTunnel);
    this.#handler.onHead({
      status,
      reason: this.#reason,
      minorVersion: this.#minorVersion,
      headers,
      body,
      keepAlive: body !== 'until-close' && !connection.close && (this.#minorVersion === 1 || connection.keepAlive),
      isTunnel,
      upgrade: facts.upgrade,
    });
    return body;
  }

  /** RFC 9112, section 6.3. */
  #bodyOf(status: number, isTunnel: boolean): BodyFraming {
    if (isTunnel) return 'until-close';
    if (status === 204 || status === 304 || this.#method === 'HEAD') return 'none';
    if (this.facts.isChunked) return 'chunked';
    return this.facts.contentLength === -1 ? 'until-close' : this.facts.contentLength;
  }
}

/** A parser for the client's side of a connection. */
export function createResponseParser(handler: ResponseHandler, options: ResponseParserOptions = {}): ResponseParser {
  const { limits, headerCase = LOWER_CASE, refuseHttp10 = false } = options;
  return new ResponseParser(handler, { ...defaultLimits, ...limits }, headerCase, refuseHttp10);
}
