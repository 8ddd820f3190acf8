import type { BodyFraming } from './body-framing.ts';
import { SCAN } from './character-class.ts';
import { ChunkedDecoder } from './chunked-decoder.ts';
import { FieldFacts, parseFields } from './field-block.ts';
import { HeaderList } from './header-list.ts';
import type { ParserLimits } from './limits.ts';
import { ParseError, type ParseErrorCode } from './parse-error.ts';

/** Body and end of a message. `onEnd` comes once for each head; after `onError` nothing comes any more. */
export interface BodyHandler {
  /** A view of the bytes that were fed: copy to keep beyond the owner's reuse of that buffer. */
  onData(chunk: Buffer): void;
  /** Trailers, null where the message had none. The parser stands still now until told to go on. */
  onEnd(trailers: HeaderList | null): void;
  onError(error: ParseError): void;
}

/**
 *   waiting -> head -> fixed | chunked -> trailers | untilClose -> waiting
 *                 '-> tunnel (everything is data)          any -> failed
 */
const State = { waiting: 0, head: 1, fixed: 2, chunked: 3, trailers: 4, untilClose: 5, failed: 6 } as const;

const LF = 0x0a;
const NEEDS_MORE = -1;
const REFUSED = -2;

/** What a head turned into: its body's framing, `again` for an interim response, or the reason to refuse it. */
export type HeadOutcome = BodyFraming | 'again' | ParseError;

/**
 * The part of an HTTP/1 parser that both roles share: finding the head, delivering the body, standing still
 * between messages and while paused. Push in bytes with `feed`; callbacks happen inside of it. Bytes that come
 * while it stands still are held, not copied: the owner stops reading its socket meanwhile.
 */
export abstract class MessageParser {
  protected readonly limits: ParserLimits;
  protected readonly facts = new FieldFacts();
  readonly #body: BodyHandler;
  readonly #isRequest: boolean;
  readonly #chunked: ChunkedDecoder;
  #state: number;
  #remaining = 0;
  #isPaused = false;
  #isRunning = false;
  #hasEnded = false;
  #held: Buffer[] | null = null;
  // A head that came in pieces; null in the usual case of a head that lies in one chunk.
  #partial: Buffer | null = null;
  #partialLength = 0;
  // Progress of the scan, relative to the start of the head.
  #scanned = 0;
  #lineStart = 0;
  #lines = 0;
  #headStart = 0;
  #startLineEnd = -1;
  #isStartLineRead = false;
  #refusal: ParseErrorCode = 'unexpected-end';

  constructor(body: BodyHandler, limits: ParserLimits, isRequest: boolean) {
    this.#body = body;
    this.limits = limits;
    this.#isRequest = isRequest;
    this.#chunked = new ChunkedDecoder(limits);
    this.#state = isRequest ? State.head : State.waiting;
  }

  /** Reads the start line, `text` up to `end`; keeps what it learned. */
  protected abstract readStartLine(text: string, end: number): ParseErrorCode | null;
  /** Decides on a whole head and hands it to the owner. */
  protected abstract takeHead(headers: HeaderList): HeadOutcome;

  /** Takes the next bytes from the peer. */
  feed(chunk: Buffer): void {
    if (this.#isRunning || this.#held !== null) this.#hold(chunk);
    else this.#run(chunk);
  }

  /** The peer will send no more: ends a body that lasts until then, refuses a message that is cut off. */
  finish(): void {
    this.#hasEnded = true;
    if (this.#held === null && !this.#isRunning) this.#finishNow();
  }

  /** Stops callbacks (after the present one) until `resume`. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#continue();
  }

  /** From now on every byte is data, until `finish`: an upgrade or CONNECT was accepted. */
  tunnel(): void {
    this.#state = State.untilClose;
    this.#continue();
  }

  /** Ends all callbacks and forgets held bytes. */
  close(): void {
    this.#state = State.failed;
    this.#held = null;
    this.#partial = null;
  }

  /** Between two messages, with no byte of the next one seen. */
  get isIdle(): boolean {
    const betweenMessages = this.#state === State.waiting || (this.#state === State.head && this.#partialLength === 0);
    return betweenMessages && this.#held === null;
  }

  /** Some bytes wait for `resume` or for the next message to be asked for. */
  get hasHeldBytes(): boolean {
    return this.#held !== null;
  }

  /** Lets the next message begin. Only after `onEnd`. */
  protected startMessage(): void {
    if (this.#state !== State.waiting) return;
    this.#state = State.head;
    this.#continue();
  }

  #continue(): void {
    if (this.#isRunning) return;
    while (this.#held !== null && !this.#standsStill()) {
      const held = this.#held;
      this.#held = null;
      const next = held.shift();
      if (held.length > 0) this.#held = held;
      if (next === undefined) break;
      // While bytes of a later chunk are held, what #run holds back goes before them.
      this.#run(next);
    }
    if (this.#hasEnded && this.#held === null && !this.#standsStill()) this.#finishNow();
  }

  #standsStill(): boolean {
    return this.#isPaused || this.#state === State.waiting;
  }

  #hold(chunk: Buffer): void {
    if (this.#state === State.failed) return;
    if (this.#held === null) this.#held = [chunk];
    else this.#held.push(chunk);
  }

  #holdFirst(chunk: Buffer): void {
    if (this.#held === null) this.#held = [chunk];
    else this.#held.unshift(chunk);
  }

  #run(chunk: Buffer): void {
    this.#isRunning = true;
    const { length } = chunk;
    let at = 0;
    while (at < length) {
      if (this.#isPaused || this.#state === State.waiting) {
        this.#holdFirst(at === 0 ? chunk : chunk.subarray(at));
        break;
      }
      switch (this.#state) {
        case State.head:
        case State.trailers:
          at = this.#runHead(chunk, at);
          break;
        case State.fixed:
          at = this.#runFixed(chunk, at);
          break;
        case State.chunked:
          at = this.#runChunked(chunk, at);
          break;
        case State.untilClose:
          this.#body.onData(at === 0 ? chunk : chunk.subarray(at));
          at = length;
          break;
        default:
          at = length;
      }
    }
    this.#isRunning = false;
    if (this.#held !== null && !this.#standsStill()) this.#continue();
    else if (this.#hasEnded && this.#held === null) this.#finishNow();
  }

  #runFixed(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#remaining);
    this.#remaining -= end - at;
    this.#body.onData(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    if (this.#remaining === 0 && this.#state === State.fixed) this.#end(null);
    return end;
  }

  #runChunked(chunk: Buffer, at: number): number {
    const decoder = this.#chunked;
    const next = decoder.run(chunk, at);
    if (decoder.refused !== null) {
      this.#fail(decoder.refused);
    } else if (decoder.isFinished) {
      this.#state = State.trailers;
      this.#resetScan(1);
    } else if (decoder.dataEnd > decoder.dataStart) {
      this.#body.onData(chunk.subarray(decoder.dataStart, decoder.dataEnd));
    }
    return next;
  }

  #runHead(chunk: Buffer, at: number): number {
    if (this.#partial !== null) return this.#runPartialHead(chunk, at);
    const end = this.#scan(chunk, at, chunk.length);
    if (end >= 0) {
      this.#completeHead(chunk, at, end);
      return end;
    }
    if (end === NEEDS_MORE) {
      const length = chunk.length - at;
      this.#partial = Buffer.allocUnsafe(Math.max(1_024, length * 2));
      chunk.copy(this.#partial, 0, at);
      this.#partialLength = length;
      this.#checkStartLineEarly(chunk, at);
    } else {
      this.#refuse(chunk, at);
    }
    return chunk.length;
  }

  #runPartialHead(chunk: Buffer, at: number): number {
    const before = this.#partialLength;
    const wanted = Math.min(chunk.length - at, this.limits.maxHeadBytes + 2 - before);
    let partial = this.#partial ?? Buffer.allocUnsafe(before + wanted);
    if (partial.length < before + wanted) {
      const grown = Buffer.allocUnsafe(Math.max(partial.length * 2, before + wanted));
      partial.copy(grown, 0, 0, before);
      this.#partial = partial = grown;
    }
    chunk.copy(partial, before, at, at + wanted);
    this.#partialLength = before + wanted;
    const end = this.#scan(partial, 0, before + wanted);
    if (end >= 0) {
      this.#partial = null;
      this.#partialLength = 0;
      this.#completeHead(partial, 0, end);
      return at + end - before;
    }
    if (end === NEEDS_MORE) this.#checkStartLineEarly(partial, 0);
    else this.#refuse(partial, 0);
    return at + wanted;
  }

  /**
   * Looks for the empty line that ends the head which begins at `base`. Returns the position after it,
   * NEEDS_MORE, or REFUSED with the reason in #refusal. Every byte is looked at once, however the input is cut.
   */
  #scan(buffer: Uint8Array, base: number, to: number): number {
    const { maxHeadBytes, maxFields } = this.limits;
    const limit = base + maxHeadBytes;
    const stop = to < limit ? to : limit;
    let lineStart = base + this.#lineStart;
    let index = base + this.#scanned;
    for (; index < stop; index++) {
      const found = SCAN[buffer[index] ?? 0];
      if (found === 0) continue;
      if (found !== 1) return this.#refuseScan(found === 2 ? 'bare-lf' : 'control-character');
      if (index + 1 >= stop) break;
      if (buffer[index + 1] !== LF) return this.#refuseScan('bare-cr');
      if (index === lineStart) {
        if (this.#lines > 0) return index + 2;
        // One empty line before a request line is forgiven (RFC 9112, section 2.2).
        if (!this.#isRequest || this.#headStart !== 0) return this.#refuseScan('bad-request-line');
        this.#headStart = index + 2 - base;
      } else {
        if (this.#lines === 0) this.#startLineEnd = index - base;
        if (this.#lines > maxFields) return this.#refuseScan('too-many-fields');
        this.#lines += 1;
      }
      index += 1;
      lineStart = index + 1;
      this.#lineStart = lineStart - base;
    }
    if (to >= limit) return this.#refuseScan('head-too-large');
    this.#scanned = index - base;
    return NEEDS_MORE;
  }

  #refuseScan(code: ParseErrorCode): number {
    this.#refusal = code;
    return REFUSED;
  }

  // A start line that cannot be right is refused before the rest has come, and its fault wins over later ones.
  #checkStartLineEarly(buffer: Buffer, base: number): boolean {
    if (this.#state !== State.head || this.#startLineEnd === -1 || this.#isStartLineRead) return false;
    const line = buffer.toString('latin1', base + this.#headStart, base + this.#startLineEnd);
    const refused = this.readStartLine(line, line.length);
    if (refused !== null) {
      this.#fail(refused);
      return true;
    }
    this.#isStartLineRead = true;
    return false;
  }

  #refuse(buffer: Buffer, base: number): void {
    if (!this.#checkStartLineEarly(buffer, base)) this.#fail(this.#refusal);
  }

  #completeHead(buffer: Buffer, base: number, end: number): void {
    const isTrailers = this.#state === State.trailers;
    const text = buffer.toString('latin1', base + this.#headStart, end - 2);
    const startLineEnd = isTrailers ? -2 : this.#startLineEnd - this.#headStart;
    const isStartLineRead = isTrailers || this.#isStartLineRead;
    this.#resetScan(0);
    if (!isStartLineRead) {
      const refused = this.readStartLine(text, startLineEnd);
      if (refused !== null) return this.#fail(refused);
    }
    const flat: string[] = [];
    this.facts.reset();
    const refused = parseFields(text, startLineEnd + 2, flat, this.facts, this.#isRequest);
    if (refused !== null) return this.#fail(refused);
    if (isTrailers) this.#end(text === '' ? null : trailersOf(flat));
    else this.#apply(this.takeHead(new HeaderList(flat)));
  }

  #apply(outcome: HeadOutcome): void {
    if (this.#state !== State.head) return; // closed or made a tunnel by the owner meanwhile
    if (outcome === 'none' || outcome === 0) this.#end(null);
    else if (outcome === 'chunked') {
      this.#state = State.chunked;
      this.#chunked.reset();
    } else if (outcome === 'until-close') this.#state = State.untilClose;
    else if (typeof outcome === 'number') {
      this.#state = State.fixed;
      this.#remaining = outcome;
    } else if (outcome !== 'again') this.#fail(outcome.code);
  }

  #resetScan(lines: number): void {
    this.#scanned = 0;
    this.#lineStart = 0;
    this.#lines = lines;
    this.#headStart = 0;
    this.#startLineEnd = -1;
    this.#isStartLineRead = false;
  }

  #end(trailers: HeaderList | null): void {
    this.#resetScan(0);
    this.#state = State.waiting;
    this.#body.onEnd(trailers);
  }

  #fail(code: ParseErrorCode): void {
    this.close();
    this.#body.onError(new ParseError(code));
  }

  #finishNow(): void {
    this.#hasEnded = false;
    if (this.#state === State.untilClose) this.#end(null);
    else if (this.#state === State.waiting || this.#state === State.failed) return;
    else if (this.#state === State.head && this.#partialLength <= this.#headStart) return;
    else this.#fail('unexpected-end');
  }
}

// Fields that frame or route a message mean nothing in trailers (RFC 9110, section 6.5.1).
const NOT_IN_TRAILERS = ['content-length', 'host', 'te', 'expect', 'trailer'];

function trailersOf(flat: string[]): HeaderList | null {
  const trailers = new HeaderList(flat);
  for (const name of NOT_IN_TRAILERS) trailers.remove(name);
  return trailers.size === 0 ? null : trailers;
}
