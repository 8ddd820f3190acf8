import { fuzz } from '@flotilla/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, printableLines } from './printable.ts';

describe('a text that others chose', () => {
  it.each([
    ['plain "quoted" \\ naïve é 😀', 'plain "quoted" \\ naïve é 😀'],
    ['a\nb\r\tc', 'a\\nb\\r\\tc'],
    ['\u0000\u001b[31m\u007f', '\\u0000\\u001b[31m\\u007f'],
    ['\u0085\u009b2J', '\\u0085\\u009b2J'],
    ['\u2028\u202e\u2066', '\\u2028\\u202e\\u2066'],
  ])('%j is printed as %j', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('keeps tabs and the ends of lines where there may be several', () => {
    expect(printableLines('a\n\t\u001bb\r\n')).toBe('a\n\t\\u001bb\\r\n');
  });

  it('leaves JSON the same value', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = printable(JSON.stringify(text));
        expect(shown).not.toMatch(/\p{Cc}/u);
        expect(JSON.parse(shown)).toBe(text);
      }),
      fuzz(300),
    );
  });
});
