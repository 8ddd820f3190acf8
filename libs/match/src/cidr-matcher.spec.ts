import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressBits, addressText } from './cidr-matcher.ts';

describe('an address', () => {
  it('is one where Node says so', () => {
    const piece = fc.oneof(
      fc.constantFrom(':', '::', '.', '0', '1', '255', '256', '01', 'ffff', 'fffff', 'a', 'g', '%'),
      fc.ipV4(),
      fc.ipV6(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
        const text = pieces.join('');
        // A zone is cut off here, and checked by Node.
        fc.pre(!text.includes('%'));
        expect(addressBits(text) !== null).toBe(isIP(text) !== 0);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is printed as it is read', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const bits = addressBits(text);
        expect(bits).not.toBeNull();
        if (bits !== null) expect(addressBits(addressText(bits))).toEqual(bits);
      }),
    );
  });
});
