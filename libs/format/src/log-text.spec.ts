import { fuzz } from '@flotilla/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineText, textOf } from './log-text.ts';

const octets = (text: string): string => Buffer.from(text).toString('latin1');

describe('a value in a line of a log', () => {
  it.each([
    ['curl/8.1', 'curl/8.1'],
    [octets('naïve é 😀 €'), 'naïve é 😀 €'],
    ['a" 200 "b\\', 'a\\" 200 \\"b\\\\'],
    ['a\tb\u007f', 'a\\tb\\u007f'],
    [octets('\u009b2J\u2028\u202e'), '\\u009b2J\\u2028\\u202e'],
    ['a\x9b2J', 'a\\x9B2J'],
    // Not whole, too long a form, a surrogate, past the end of Unicode.
    ['\xc3 \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80', '\\xC3 \\xC0\\xAF \\xED\\xA0\\x80 \\xF4\\x90\\x80\\x80'],
  ])('of a message: %j is written as %j', (value, expected) => {
    expect(lineText(value, 'wire')).toBe(expected);
  });

  it.each([
    ['é', 'é'],
    [octets('é'), 'é'],
    ['€ "a"\n', '€ \\"a\\"\\n'],
  ])('of a message or of the configuration: %j is written as %j', (value, expected) => {
    expect(lineText(value, 'mixed')).toBe(expected);
  });

  it('of the configuration stays as it is', () => {
    expect(lineText('"é"\n', 'configuration')).toBe('"é"\n');
  });

  it('whatever it is, ends no line and no quotes, and can be told from every other', () => {
    const anyOctets = fc
      .array(fc.oneof(fc.nat(255), fc.constantFrom(0x22, 0x5c, 0xc3, 0xa9, 0x9b)))
      .map((bytes) => Buffer.from(bytes).toString('latin1'));
    fc.assert(
      fc.property(anyOctets, (value) => {
        const line = lineText(value, 'wire');
        expect(line).not.toMatch(/\p{Cc}/u);
        expect(line).toMatch(/^(?:[^"\\]|\\["\\nrt]|\\u[0-9a-f]{4}|\\x[0-9A-F]{2})*$/u);
        expect(octetsOf(line)).toBe(value);
      }),
      fuzz(500),
    );
  });
});

/** Reads a line's escapes back. */
function octetsOf(line: string): string {
  const short: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  return line.replace(/\\(?:u(....)|x(..)|(.))|[^\\]/gsu, (all, code?: string, octet?: string, char?: string) => {
    if (octet !== undefined) return String.fromCharCode(Number.parseInt(octet, 16));
    if (code !== undefined) return octets(String.fromCharCode(Number.parseInt(code, 16)));
    return char === undefined ? octets(all) : (short[char] ?? char);
  });
}

describe('a value in a log of JSON', () => {
  it.each([
    [octets('naïve 😀'), 'naïve 😀'],
    ['a\x9b\xe9', 'a\u009bé'],
    ['€', '€'],
    [octets('\ufffd'), '\ufffd'],
  ])('%j is the text %j', (value, text) => {
    expect(textOf(value)).toBe(text);
  });
});
