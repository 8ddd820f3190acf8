import type { BodyFraming } from './body-framing.ts';
import { ChunkedDecoder } from './chunked-decoder.ts';
import { FieldFacts, parseFields } from './field-block.ts';
import { HeadReader, HeadState } from './head-reader.ts';
import { HeaderList } from './header-list.ts';
import type { ParserLimits } from './limits.ts';
import { type HeaderCase, KeptSpelling } from './spelling.ts';
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

/** What a head turned into: its body's framing, `again` for an interim response, or the reason to refuse it. */
export type HeadOutcome = BodyFraming | 'again' | ParseError;

/**
 * The part of an HTTP/1 parser that both roles share: finding the head, delivering the body, standing still
 * between messages and while paused. Push in bytes with `feed`; callbacks happen inside of it. Bytes that come
 * while it stands still are held, copied only when they were borrowed: the owner stops reading its socket meanwhile.
 */
export abstract class MessageParser {
  protected readonly limits: ParserLimits;
  readonly #headerCase: HeaderCase;
  protected readonly facts = new FieldFacts();
  readonly #body: BodyHandler;
  readonly #isRequest: boolean;
  readonly #head: HeadReader;
  readonly #chunked: ChunkedDecoder;
  #state: number;
  #remaining = 0;
  #isPaused = false;
  #isRunning = false;
  #hasEnded = false;
  #held: Buffer[] | null = null;
  #isStartLineRead = false;

  constructor(body: BodyHandler, limits: ParserLimits, headerCase: HeaderCase, isRequest: boolean) {
    this.#body = body;
    this.limits = limits;
    this.#headerCase = headerCase;
    this.#isRequest = isRequest;
    this.#head = new HeadReader(limits, isRequest);
    this.#chunked = new ChunkedDecoder(limits);
    this.#state = isRequest ? State.head : State.waiting;
  }

  /** Reads the start line, `text` up to `end`; keeps what it learned. */
  protected abstract readStartLine(text: string, end: number): ParseErrorCode | null;
  /** Decides on a whole head and hands it to the owner. */
  protected abstract takeHead(headers: HeaderList): HeadOutcome;

  /** Takes the next bytes from the peer. `isBorrowed`: the owner reuses them as soon as this returns. */
  feed(chunk: Buffer, isBorrowed = false): void {
    if (this.#isRunning || this.#held !== null) this.#hold(isBorrowed ? Buffer.from(chunk) : chunk);
    else this.#run(chunk, isBorrowed);
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
    this.#head.reset(false);
  }

  /** Between two messages, with no byte of the next one seen. */
  get isIdle(): boolean {
    const betweenMessages = this.#state === State.waiting || (this.#state === State.head && this.#head.isUntouched);
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
      this.#run(next, false);
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

  #run(chunk: Buffer, isBorrowed: boolean): void {
    this.#isRunning = true;
    const { length } = chunk;
    let at = 0;
    while (at < length) {
      if (this.#isPaused || this.#state === State.waiting) {
        const rest = at === 0 ? chunk : chunk.subarray(at);
        this.#holdFirst(isBorrowed ? Buffer.from(rest) : rest);
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
      this.#resetHead(true);
    } else if (decoder.dataEnd > decoder.dataStart) {
      this.#body.onData(chunk.subarray(decoder.dataStart, decoder.dataEnd));
    }
    return next;
  }

  #runHead(chunk: Buffer, at: number): number {
    const head = this.#head;
    const next = head.read(chunk, at);
    // A start line that cannot be right is refused before the rest has come, and its fault wins over later ones.
    if (head.state !== HeadState.whole) this.#readStartLineEarly();
    if (head.state === HeadState.whole) this.#completeHead(head.text());
    else if (head.state === HeadState.refused && this.#state !== State.failed) this.#fail(head.refusal);
    return next;
  }

  #readStartLineEarly(): void {
    if (this.#state !== State.head || this.#isStartLineRead || this.#head.startLineLength === -1) return;
    this.#isStartLineRead = true;
    const line = this.#head.startLine();
    const refused = this.readStartLine(line, line.length);
    if (refused !== null) this.#fail(refused);
  }

  #completeHead(text: string): void {
    const isTrailers = this.#state === State.trailers;
    const startLineLength = isTrailers ? -2 : this.#head.startLineLength;
    const isStartLineRead = isTrailers || this.#isStartLineRead;
    this.#resetHead(false);
    if (!isStartLineRead) {
      const refused = this.readStartLine(text, startLineLength);
      if (refused !== null) return this.#fail(refused);
    }
    const flat: string[] = [];
    this.facts.reset();
    const refused = parseFields(text, startLineLength + 2, flat, this.facts, this.#isRequest);
    if (refused !== null) return this.#fail(refused);
    if (isTrailers) this.#end(text === '' ? null : trailersOf(flat));
    else {
      const headers = new HeaderList(flat);
      if (this.#headerCase.keeps)
        headers.spelling = new KeptSpelling(text.slice(startLineLength + 2), this.#headerCase.otherwise);
      this.#apply(this.takeHead(headers));
    }
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

  #resetHead(isTrailers: boolean): void {
    this.#head.reset(isTrailers);
    this.#isStartLineRead = false;
  }

  #end(trailers: HeaderList | null): void {
    this.#resetHead(false);
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
    else if (this.#state === State.head && this.#head.isUntouched) return;
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
