import { SCAN } from './character-class.ts';
import type { ParserLimits } from './limits.ts';
import type { ParseErrorCode } from './parse-error.ts';

export const HeadState = { more: 0, whole: 1, refused: 2 } as const;

const LF = 0x0a;

/**
 * Finds the empty line that ends a head or trailers, over as many chunks as it takes. Every byte is looked at once,
 * however the input is cut, and what is wrong with line ends and control characters is said at its byte. A head
 * that lies in one chunk, the usual case, is not copied.
 */
export class HeadReader {
  /** One of `HeadState`, after `read`. */
  state: number = HeadState.more;
  refusal: ParseErrorCode = 'unexpected-end';
  readonly #limits: ParserLimits;
  readonly #isRequest: boolean;
  /** A head that came in pieces. */
  #partial: Buffer | null = null;
  #partialLength = 0;
  // Where the head stands after the last read: in the chunk, or in `#partial`.
  #buffer: Buffer | null = null;
  #base = 0;
  #end = 0;
  // Progress, relative to the head's first byte.
  #scanned = 0;
  #lineStart = 0;
  #lines = 0;
  #headStart = 0;
  #startLineEnd = -1;

  constructor(limits: ParserLimits, isRequest: boolean) {
    this.#limits = limits;
    this.#isRequest = isRequest;
  }

  /** Makes ready for the next head, or for trailers, which have no start line. */
  reset(isTrailers: boolean): void {
    this.state = HeadState.more;
    this.#partial = null;
    this.#partialLength = 0;
    this.#buffer = null;
    this.#scanned = 0;
    this.#lineStart = 0;
    this.#lines = isTrailers ? 1 : 0;
    this.#headStart = 0;
    this.#startLineEnd = -1;
  }

  /** Nothing of the head was seen but an empty line before it. */
  get isUntouched(): boolean {
    return this.#partialLength <= this.#headStart;
  }

  /** Length of the start line; -1 until its end was seen. */
  get startLineLength(): number {
    return this.#startLineEnd === -1 ? -1 : this.#startLineEnd - this.#headStart;
  }

  /** The start line alone. Only when `startLineLength` is known. */
  startLine(): string {
    return this.#text(this.#base + this.#startLineEnd);
  }

  /** The whole head without its empty line. Only when `state` is `whole`. */
  text(): string {
    return this.#text(this.#end - 2);
  }

  /** Reads on from `at`; returns where it stopped, and sets `state`. */
  read(chunk: Buffer, at: number): number {
    if (this.#partial !== null) return this.#readPartial(chunk, at);
    this.#buffer = chunk;
    this.#base = at;
    this.state = this.#scan(chunk, at, chunk.length);
    if (this.state === HeadState.whole) return this.#end;
    if (this.state === HeadState.more) this.#keep(chunk, at);
    return chunk.length;
  }

  #keep(chunk: Buffer, at: number): void {
    const length = chunk.length - at;
    this.#partial = Buffer.allocUnsafe(Math.max(1_024, length * 2));
    chunk.copy(this.#partial, 0, at);
    this.#partialLength = length;
    this.#buffer = this.#partial;
    this.#base = 0;
  }

  #readPartial(chunk: Buffer, at: number): number {
    const before = this.#partialLength;
    const after = before + Math.min(chunk.length - at, this.#limits.maxHeadBytes + 2 - before);
    let partial = this.#partial ?? Buffer.allocUnsafe(after);
    if (partial.length < after) {
      const grown = Buffer.allocUnsafe(Math.max(partial.length * 2, after));
      partial.copy(grown, 0, 0, before);
      this.#partial = partial = grown;
    }
    chunk.copy(partial, before, at, at + after - before);
    this.#partialLength = after;
    this.#buffer = partial;
    this.state = this.#scan(partial, 0, after);
    return at + (this.state === HeadState.whole ? this.#end : after) - before;
  }

  #scan(buffer: Uint8Array, base: number, to: number): number {
    const limit = base + this.#limits.maxHeadBytes;
    const stop = to < limit ? to : limit;
    let lineStart = base + this.#lineStart;
    let index = base + this.#scanned;
    for (; index < stop; index++) {
      const found = SCAN[buffer[index] ?? 0];
      if (found === 0) continue;
      if (found !== 1) return this.#refuse(found === 2 ? 'bare-lf' : 'control-character');
      if (index + 1 >= stop) break;
      if (buffer[index + 1] !== LF) return this.#refuse('bare-cr');
      if (index !== lineStart) {
        if (this.#lines === 0) this.#startLineEnd = index - base;
        if (this.#lines > this.#limits.maxFields) return this.#refuse('too-many-fields');
        this.#lines += 1;
      } else if (this.#lines > 0) {
        this.#end = index + 2;
        return HeadState.whole;
      } else {
        // One empty line before a request line is forgiven (RFC 9112, section 2.2).
        if (!this.#isRequest || this.#headStart !== 0) return this.#refuse('bad-request-line');
        this.#headStart = index + 2 - base;
      }
      index += 1;
      lineStart = index + 1;
      this.#lineStart = lineStart - base;
    }
    if (to >= limit) return this.#refuse('head-too-large');
    this.#scanned = index - base;
    return HeadState.more;
  }

  #refuse(code: ParseErrorCode): number {
    this.refusal = code;
    return HeadState.refused;
  }

  #text(end: number): string {
    return this.#buffer === null ? '' : this.#buffer.toString('latin1', this.#base + this.#headStart, end);
  }
}
