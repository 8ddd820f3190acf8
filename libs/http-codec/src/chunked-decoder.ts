import { limit } from '@flotilla/runtime';
import { HEX } from './character-class.ts';
import type { ParserLimits } from './limits.ts';
import type { ParseErrorCode } from './parse-error.ts';

/**
 * Chunked coding (RFC 9112, section 7.1):
 *
 *   size -> (extension) -> sizeLf -> data -> dataCr -> dataLf -> size …
 *                             '-> size was 0: finished, trailers follow
 */
const State = { sizeFirst: 0, size: 1, extension: 2, sizeLf: 3, data: 4, dataCr: 5, dataLf: 6 } as const;

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const MAX_SIZE_DIGITS = limit({
  name: 'http.chunk-size-digits',
  what: 'digits of a chunk size',
  default: 16,
  unit: 'count',
  past: '400, and the connection is closed',
});

/**
 * Decodes one chunked body. `run` consumes bytes until it needs more, or has one piece of data for the caller
 * (`dataStart`, `dataEnd`), or the last chunk is read (`isFinished`), or the coding is broken (`refused`).
 */
export class ChunkedDecoder {
  dataStart = 0;
  dataEnd = 0;
  isFinished = false;
  refused: ParseErrorCode | null = null;
  #state: number = State.sizeFirst;
  #remaining = 0;
  #digits = 0;
  #extensionBytes = 0;
  readonly #maxExtensionBytes: number;

  constructor(limits: ParserLimits) {
    this.#maxExtensionBytes = limits.maxChunkExtensionBytes;
  }

  reset(): void {
    this.isFinished = false;
    this.refused = null;
    this.#state = State.sizeFirst;
    this.#remaining = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
  }

  /** Reads from `position`; returns where it stopped. No data was found where `dataStart === dataEnd`. */
  run(chunk: Uint8Array, position: number): number {
    this.dataStart = this.dataEnd = 0;
    const { length } = chunk;
    let at = position;
    while (at < length) {
      if (this.#state === State.data) {
        const end = Math.min(length, at + this.#remaining);
        this.dataStart = at;
        this.dataEnd = end;
        this.#remaining -= end - at;
        if (this.#remaining === 0) this.#state = State.dataCr;
        return end;
      }
      const refused = this.#step(chunk[at] ?? 0);
      at++;
      if (refused !== null) {
        this.refused = refused;
        return at;
      }
      if (this.isFinished) return at;
    }
    return at;
  }

  #step(byte: number): ParseErrorCode | null {
    switch (this.#state) {
      case State.sizeFirst:
      case State.size:
        return this.#sizeByte(byte);
      case State.extension:
        if (byte === CR) this.#state = State.sizeLf;
        else if (byte < 0x20 && byte !== 0x09) return byte === LF ? 'bare-lf' : 'bad-chunk-extension';
        else if (byte === 0x7f) return 'bad-chunk-extension';
        else if (++this.#extensionBytes > this.#maxExtensionBytes) return 'chunk-extensions-too-large';
        return null;
      case State.sizeLf:
        if (byte !== LF) return 'bare-cr';
        if (this.#remaining === 0) this.isFinished = true;
        else this.#state = State.data;
        return null;
      case State.dataCr:
        if (byte !== CR) return 'bad-chunk-end';
        this.#state = State.dataLf;
        return null;
      default:
        if (byte !== LF) return 'bad-chunk-end';
        this.#state = State.sizeFirst;
        this.#digits = 0;
        return null;
    }
  }

  #sizeByte(byte: number): ParseErrorCode | null {
    const digit = HEX[byte] ?? 255;
    if (digit !== 255) {
      this.#remaining = this.#remaining * 16 + digit;
      this.#digits += 1;
      this.#state = State.size;
      return this.#digits > MAX_SIZE_DIGITS || this.#remaining > Number.MAX_SAFE_INTEGER ? 'bad-chunk-size' : null;
    }
    if (this.#state === State.sizeFirst) return 'bad-chunk-size';
    if (byte === CR) this.#state = State.sizeLf;
    else if (byte === SEMICOLON) {
      this.#state = State.extension;
      if (++this.#extensionBytes > this.#maxExtensionBytes) return 'chunk-extensions-too-large';
    } else return byte === LF ? 'bare-lf' : 'bad-chunk-size';
    return null;
  }
}
