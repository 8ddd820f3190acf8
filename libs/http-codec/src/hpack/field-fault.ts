import { TOKEN } from '../character-class.ts';
import { huffmanStep, stateOf, symbolOf } from './huffman.ts';

/** What makes a field section malformed (RFC 9113, section 8.2.1). */
export type FieldFault = 'name' | 'value';

const INDEXED = 0x80;
const LITERAL_INDEXED = 0x40;
const TABLE_SIZE = 0x20;
const HUFFMAN = 0x80;
const COLON = 0x3a;
const TAB = 0x09;

/** 1 where a byte may stand in a field name: a token without upper case. */
const NAME = Uint8Array.from(TOKEN, (isToken, code) => (code >= 0x41 && code <= 0x5a ? 0 : isToken));
/** 1 where a byte may stand in a field value: HTAB, visible ASCII, spaces and what is above ASCII. */
const VALUE = Uint8Array.from({ length: 256 }, (_, code) => ((code >= 0x20 && code !== 0x7f) || code === TAB ? 1 : 0));

/**
 * Finds the first malformed name or value in an HPACK field section (RFC 7541, section 6); null: there is none. Strings
 * are checked where they stand. What is taken from a table needs no check: it was checked when it came, and a
 * connection with a malformed field ends. White space around a value is let through, as by Envoy. A section that is no HPACK is left to its decoder: null.
 */
export function findFieldFault(section: Uint8Array): FieldFault | null {
  const cursor = new Cursor(section);
  while (!cursor.isAtEnd) {
    const first = cursor.peek();
    if (first >= INDEXED) cursor.integer(7);
    else if ((first & (LITERAL_INDEXED | TABLE_SIZE)) === TABLE_SIZE) cursor.integer(5);
    else {
      const index = cursor.integer(first >= LITERAL_INDEXED ? 6 : 4);
      if (index === 0 && !cursor.isAtEnd && !cursor.isName()) return 'name';
      if (!cursor.isAtEnd && !cursor.isValue()) return 'value';
    }
  }
  return null;
}

/** Reads a section from its start. Past the end everything is well. */
class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  peek(): number {
    return this.#bytes[this.#at] ?? 0;
  }

  /** An integer that begins in the lower bits of the next byte (RFC 7541, section 5.1). */
  integer(prefixBits: number): number {
    const max = (1 << prefixBits) - 1;
    let value = this.#next() & max;
    if (value < max) return value;
    let factor = 1;
    for (let byte = 0x80; byte >= 0x80 && !this.isAtEnd; factor *= 128) {
      byte = this.#next();
      value += (byte & 0x7f) * factor;
    }
    return value;
  }

  /** Whether the next string may be a field's name. */
  isName(): boolean {
    const isHuffman = this.peek() >= HUFFMAN;
    const { start, end } = this.#string();
    if (end > this.#bytes.length) return true;
    if (start === end) return false;
    return isHuffman ? this.#isCodedName(start, end) : this.#isPlainName(start, end);
  }

  /** Whether the next string may be a field's value. */
  isValue(): boolean {
    const isHuffman = this.peek() >= HUFFMAN;
    const { start, end } = this.#string();
    if (start === end || end > this.#bytes.length) return true;
    return isHuffman ? this.#isCodedValue(start, end) : this.#isPlainValue(start, end);
  }

  #isPlainName(start: number, end: number): boolean {
    const bytes = this.#bytes;
    // The colon of a pseudo header.
    for (let at = bytes[start] === COLON ? start + 1 : start; at < end; at++) {
      if (NAME[bytes[at] ?? 0] === 0) return false;
    }
    return true;
  }

  #isPlainValue(start: number, end: number): boolean {
    const bytes = this.#bytes;
    for (let at = start; at < end; at++) if (VALUE[bytes[at] ?? 0] === 0) return false;
    return true;
  }

  #isCodedName(start: number, end: number): boolean {
    let state = 0;
    let isFirst = true;
    for (let half = start * 2; half < end * 2; half++) {
      const step = huffmanStep(state, this.#nibble(half));
      const symbol = symbolOf(step);
      state = stateOf(step);
      if (symbol === -1) continue;
      if (NAME[symbol] === 0 && !(isFirst && symbol === COLON)) return false;
      isFirst = false;
    }
    return !isFirst;
  }

  #isCodedValue(start: number, end: number): boolean {
    let state = 0;
    for (let half = start * 2; half < end * 2; half++) {
      const step = huffmanStep(state, this.#nibble(half));
      const symbol = symbolOf(step);
      state = stateOf(step);
      if (symbol !== -1 && VALUE[symbol] === 0) return false;
    }
    return true;
  }

  #nibble(half: number): number {
    const byte = this.#bytes[half >> 1] ?? 0;
    return (half & 1) === 0 ? byte >> 4 : byte & 15;
  }

  /** Bounds of the next string, which is passed. */
  #string(): { readonly start: number; readonly end: number } {
    const length = this.integer(7);
    const start = this.#at;
    this.#at += length;
    return { start, end: this.#at };
  }

  #next(): number {
    return this.#bytes[this.#at++] ?? 0;
  }
}
