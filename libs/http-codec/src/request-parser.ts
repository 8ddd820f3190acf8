import { type HeaderCase, LOWER_CASE } from './spelling.ts';
import type { BodyFraming } from './body-framing.ts';
import { TOKEN } from './character-class.ts';
import { parseConnection, removeNominated } from './connection-field.ts';
import type { HeaderList } from './header-list.ts';
import { defaultLimits, type ParserLimits } from './limits.ts';
import { type BodyHandler, type HeadOutcome, MessageParser } from './message-parser.ts';
import { ParseError, type ParseErrorCode } from './parse-error.ts';
import {
  isOriginForm,
  isTargetText,
  parseRequestTarget,
  type RequestTarget,
  type TargetForm,
} from './request-target.ts';

/** The head of one request. Hop-by-hop fields and `host` are not in `headers`; `content-length` is. */
export interface RequestHead {
  readonly method: string;
  /** As it stood in the request line. */
  readonly target: string;
  readonly form: TargetForm;
  /** Path with query. */
  readonly path: string;
  /** From the target where it has one (it wins, RFC 9112, section 3.2.2), else from `Host`; empty for neither. */
  readonly authority: string;
  /** `Host`, null when absent. */
  readonly host: string | null;
  /** Only in absolute form. */
  readonly scheme: string | null;
  /** 0 or 1. */
  readonly minorVersion: number;
  readonly headers: HeaderList;
  readonly body: Exclude<BodyFraming, 'until-close'>;
  /** The client lets the connection be used again. */
  readonly keepAlive: boolean;
  /** `Expect: 100-continue`: the client waits for a 100 before it sends the body. */
  readonly expectsContinue: boolean;
  /** `Upgrade` value, when `Connection` says upgrade too. */
  readonly upgrade: string | null;
}

export interface RequestHandler extends BodyHandler {
  onHead(head: RequestHead): void;
}

export interface RequestParserOptions {
  readonly limits?: Partial<ParserLimits>;
  /** Default: refused with `http10-refused`. */
  readonly acceptHttp10?: boolean;
  /** Default: names are lowered. */
  readonly headerCase?: HeaderCase;
}

const SP = 0x20;

/** Parses requests, one after another; `next` lets the following one begin (pipelining). */
export class RequestParser extends MessageParser {
  readonly #handler: RequestHandler;
  readonly #acceptHttp10: boolean;
  #method = '';
  #rawTarget = '';
  #target: RequestTarget | null = null;
  #minorVersion = 1;

  constructor(handler: RequestHandler, limits: ParserLimits, headerCase: HeaderCase, acceptHttp10: boolean) {
    super(handler, limits, headerCase, true);
    this.#handler = handler;
    this.#acceptHttp10 = acceptHttp10;
  }

  /** After `onEnd`: the next request may begin. Its callbacks may come inside this call. */
  next(): void {
    this.startMessage();
  }

  protected override readStartLine(text: string, end: number): ParseErrorCode | null {
    let methodEnd = 0;
    while (methodEnd < end && TOKEN[text.charCodeAt(methodEnd)] === 1) methodEnd++;
    if (methodEnd === 0 || text.charCodeAt(methodEnd) !== SP) return 'bad-method';
    const targetEnd = text.indexOf(' ', methodEnd + 1);
    if (targetEnd === -1 || targetEnd >= end) return 'bad-request-line';
    if (targetEnd - methodEnd - 1 > this.limits.maxTargetBytes) return 'target-too-long';
    if (targetEnd === methodEnd + 1 || !isTargetText(text, methodEnd + 1, targetEnd)) return 'bad-target';
    const refused = this.#readVersion(text, targetEnd + 1, end);
    if (refused !== null) return refused;
    this.#method = text.substring(0, methodEnd);
    this.#rawTarget = text.substring(methodEnd + 1, targetEnd);
    this.#target = null;
    if (isOriginForm(this.#rawTarget) && this.#method !== 'CONNECT') return null;
    this.#target = parseRequestTarget(this.#method, this.#rawTarget);
    return this.#target === null ? 'bad-target' : null;
  }

  #readVersion(text: string, start: number, end: number): ParseErrorCode | null {
    if (end - start === 8 && text.startsWith('HTTP/1.1', start)) {
      this.#minorVersion = 1;
      return null;
    }
    const version = text.slice(start, end);
    if (version === 'HTTP/1.0') {
      this.#minorVersion = 0;
      return this.#acceptHttp10 ? null : 'http10-refused';
    }
    return /^HTTP\/\d\.\d$/.test(version) ? 'version-not-supported' : 'bad-version';
  }

  protected override takeHead(headers: HeaderList): HeadOutcome {
    const { facts } = this;
    const target = this.#target;
    const isHttp11 = this.#minorVersion === 1;
    if (facts.isChunked && !isHttp11) return new ParseError('transfer-encoding-in-http10');
    const connection = parseConnection(facts.connection);
    if (connection.nominated.length > 0 && !removeNominated(headers, connection.nominated)) {
      return new ParseError('bad-connection');
    }
    const body = facts.isChunked ? 'chunked' : facts.contentLength === -1 ? 'none' : facts.contentLength;
    this.#handler.onHead({
      method: this.#method,
      target: this.#rawTarget,
      form: target === null ? 'origin' : target.form,
      path: target === null ? this.#rawTarget : target.path,
      authority: target?.authority ?? facts.host ?? '',
      host: facts.host,
      scheme: target === null ? null : target.scheme,
      minorVersion: this.#minorVersion,
      headers,
      body,
      keepAlive: !connection.close && (isHttp11 || connection.keepAlive),
      expectsContinue: facts.expectsContinue && isHttp11,
      upgrade: connection.upgrade && isHttp11 ? facts.upgrade : null,
    });
    return body;
  }
}

/** A parser for the server's side of a connection. */
export function createRequestParser(handler: RequestHandler, options: RequestParserOptions = {}): RequestParser {
  const { limits, headerCase = LOWER_CASE, acceptHttp10 = false } = options;
  return new RequestParser(handler, { ...defaultLimits, ...limits }, headerCase, acceptHttp10);
}
