import { TOKEN } from './character-class.ts';
import { FieldKind, fieldNameOf } from './field-name.ts';
import type { ParseErrorCode } from './parse-error.ts';

const HTAB = 0x09;
const CR = 0x0d;
const SP = 0x20;
const COLON = 0x3a;

/** What a head's fields say about framing and the connection; these fields are consumed, not listed. */
export class FieldFacts {
  host: string | null = null;
  /** -1: none. */
  contentLength = -1;
  isChunked = false;
  /** Combined value of `Connection`, null when absent. */
  connection: string | null = null;
  upgrade: string | null = null;
  expectsContinue = false;

  reset(): void {
    this.host = null;
    this.contentLength = -1;
    this.isChunked = false;
    this.connection = null;
    this.upgrade = null;
    this.expectsContinue = false;
  }
}

/**
 * Parses field lines from `position` to the end of `text` (latin1, every line ended by CRLF, control
 * characters and line ends checked already) into `flat`. Hop-by-hop fields go to `facts`; `content-length` goes
 * to both. Returns why it refuses, or null.
 */
export function parseFields(
  text: string,
  position: number,
  flat: string[],
  facts: FieldFacts,
  isRequest: boolean,
): ParseErrorCode | null {
  const end = text.length;
  let start = position;
  while (start < end) {
    let colon = start;
    let code = text.charCodeAt(colon);
    while (TOKEN[code] === 1) code = text.charCodeAt(++colon);
    if (code !== COLON || colon === start) return refuseName(text, start, colon, code);
    const lineEnd = text.indexOf('\r', colon);
    let valueStart = colon + 1;
    let valueEnd = lineEnd;
    for (; valueStart < valueEnd; valueStart++) {
      code = text.charCodeAt(valueStart);
      if (code !== SP && code !== HTAB) break;
    }
    for (; valueEnd > valueStart; valueEnd--) {
      code = text.charCodeAt(valueEnd - 1);
      if (code !== SP && code !== HTAB) break;
    }
    const value = text.substring(valueStart, valueEnd);
    const field = fieldNameOf(text.substring(start, colon));
    if (field.kind === FieldKind.plain) {
      flat.push(field.name, value);
    } else {
      const refused = takeSpecial(field.kind, field.name, value, flat, facts, isRequest);
      if (refused !== null) return refused;
    }
    start = lineEnd + 2;
  }
  if (facts.isChunked && facts.contentLength !== -1) return 'content-length-with-transfer-encoding';
  return null;
}

function refuseName(text: string, start: number, position: number, code: number): ParseErrorCode {
  const isSpace = code === SP || code === HTAB;
  if (position === start) return isSpace ? 'obsolete-folding' : code === CR ? 'missing-colon' : 'bad-field-name';
  if (isSpace) {
    const after = text.slice(position).trimStart();
    return after.startsWith(':') ? 'space-before-colon' : 'bad-field-name';
  }
  return code === CR ? 'missing-colon' : 'bad-field-name';
}

function takeSpecial(
  kind: number,
  name: string,
  value: string,
  flat: string[],
  facts: FieldFacts,
  isRequest: boolean,
): ParseErrorCode | null {
  switch (kind) {
    case FieldKind.contentLength:
      return takeContentLength(name, value, flat, facts);
    case FieldKind.transferEncoding:
      if (facts.isChunked || value.toLowerCase() !== 'chunked') return 'bad-transfer-encoding';
      facts.isChunked = true;
      return null;
    case FieldKind.connection:
      facts.connection = facts.connection === null ? value : `${facts.connection},${value}`;
      return null;
    case FieldKind.hopByHop:
      return null;
    case FieldKind.upgrade:
      facts.upgrade = facts.upgrade === null ? value : `${facts.upgrade},${value}`;
      return null;
    default:
      break;
  }
  if (isRequest) {
    if (kind === FieldKind.host) {
      if (facts.host !== null) return 'repeated-host';
      facts.host = value;
      return null;
    }
    if (kind === FieldKind.expect && value.toLowerCase() === '100-continue') {
      facts.expectsContinue = true;
      return null;
    }
    if (kind === FieldKind.te) {
      // Only `trailers` has a meaning beyond the next hop.
      if (/(^|[, \t])trailers($|[, \t;])/i.test(value)) flat.push(name, 'trailers');
      return null;
    }
  }
  flat.push(name, value);
  return null;
}

function takeContentLength(name: string, value: string, flat: string[], facts: FieldFacts): ParseErrorCode | null {
  if (facts.contentLength !== -1) return 'repeated-content-length';
  // 15 digits stay below 2^53.
  if (value.length === 0 || value.length > 15) return 'bad-content-length';
  let length = 0;
  for (let index = 0; index < value.length; index++) {
    const digit = value.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return value.includes(',') ? 'repeated-content-length' : 'bad-content-length';
    length = length * 10 + digit;
  }
  facts.contentLength = length;
  flat.push(name, value);
  return null;
}
