import { printable } from '@flotilla/runtime';

/** A structure: JSON in a text, itself in a log of JSON. */
export class Structure<T> {
  readonly value: T;

  constructor(value: T) {
    this.value = value;
  }

  toString(): string {
    return JSON.stringify(this.value);
  }
}

/**
 * Whose words an operator's value is. `wire`: octets of a message, one a character. `configuration`: of who wrote the
 * configuration. `mixed`: of either, octets or text.
 */
export type ValueOrigin = 'wire' | 'configuration' | 'mixed';

const NEEDS_CARE = /[^\x20-\x7e]|["\\]/;
const QUOTES = /["\\]/g;
const NOT_ASCII = /[^\0-\x7f]/;
const NOT_OCTETS = /[^\0-\xff]/;
/** UTF-8 in octets (Unicode, table 3-7); the group: an octet that is part of none. */
const UTF8 =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|([\x80-\xff])/g;

/**
 * A value in a line of text: neither ends the line or the quotes that it stands in, nor steers the terminal that shows
 * it. Quotes, backslashes and controls are written as in JSON, octets that are no UTF-8 as `\xE9`.
 */
export function lineText(value: string, origin: ValueOrigin): string {
  if (origin === 'configuration' || !NEEDS_CARE.test(value)) return value;
  const quoted = value.replace(QUOTES, '\\$&');
  return printable(origin === 'wire' ? quoted.replace(UTF8, decodeOctets) : textOf(quoted));
}

const UTF8_TEXT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that octets are in UTF-8; what is no UTF-8 stays as it is. */
export function textOf(octets: string): string {
  if (!NOT_ASCII.test(octets) || NOT_OCTETS.test(octets)) return octets;
  try {
    return UTF8_TEXT.decode(bytesOf(octets));
  } catch {
    // No UTF-8, which is not told in another way.
    return octets;
  }
}

function decodeOctets(octets: string, stray: string | undefined): string {
  if (stray === undefined) return UTF8_TEXT.decode(bytesOf(octets));
  return `\\x${octets.charCodeAt(0).toString(16).toUpperCase()}`;
}

function bytesOf(octets: string): Uint8Array {
  return Uint8Array.from(octets, (octet) => octet.charCodeAt(0));
}
