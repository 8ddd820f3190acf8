import { fuzz } from '@flotilla/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATA, FrameWalker, HEADERS, type Verdict } from './frame-walker.ts';
import { anyFrame, cut, frame } from './testing-frames.ts';

const PREFACE = 24;

/** What a visitor sees of octets in pieces, and how many pass. */
function walk(pieces: readonly Buffer[], verdictOf: (type: number) => Verdict = () => 'whole', skip = 0) {
  const seen: unknown[] = [];
  const walker = new FrameWalker(
    {
      onHead: (...head) => {
        seen.push(head);
        return verdictOf(head[0]);
      },
      onPayload: (payload) => {
        seen.push(payload.toString('hex'));
        return payload[0] !== 0xff;
      },
    },
    skip,
  );
  let passed = 0;
  for (const piece of pieces) {
    const taken = walker.walk(piece);
    piece.fill(0xee); // its memory is another's
    passed += taken;
    if (taken < piece.length) break;
  }
  return { seen, passed };
}

describe('frames in pieces', () => {
  const three = [frame(DATA, 1, 3, [1, 2, 3]), frame(HEADERS, 4, 5), frame(77, 0, 0x8000_0007, [9])];
  const octets = Buffer.concat(three);
  const SEEN = [[DATA, 1, 3, 3], '010203', [HEADERS, 4, 5, 0], '', [77, 0, 7, 1], '09'];

  it.each(Array.from({ length: octets.length + 1 }, (_, at) => at))('are the same cut at octet %i', (at) => {
    expect(walk(cut(octets, [at]))).toEqual({ seen: SEEN, passed: octets.length });
  });

  it('are the same octet by octet, after what comes before the first', () => {
    const all = Buffer.concat([Buffer.alloc(PREFACE, 1), octets]);
    expect(walk(cut(all, [...all.keys()]), undefined, PREFACE)).toEqual({ seen: SEEN, passed: all.length });
  });

  it('stop before the one that is refused', () => {
    const verdict = (type: number): Verdict => (type === HEADERS ? 'refuse' : 'pass');
    expect(walk([Buffer.from(octets)], verdict).passed).toBe(three[0]?.length);
    const bad = Buffer.concat([frame(DATA, 0, 1), frame(DATA, 0, 1, [0xff])]);
    expect(walk([bad]).passed).toBe(9);
  });

  it('are asked for again where nothing may stand before them', () => {
    const verdict = (type: number): Verdict => (type === HEADERS ? 'apart' : 'pass');
    const first = walk([Buffer.from(octets)], verdict);
    expect(first.passed).toBe(three[0]?.length);
    const rest = Buffer.from(octets.subarray(first.passed));
    expect(walk([rest], verdict)).toMatchObject({ passed: rest.length });
  });

  it('whatever they are and however they are cut', () => {
    const pieces = fc.tuple(fc.array(anyFrame, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }));
    const verdicts = fc.func(fc.constantFrom<Verdict>('pass', 'whole', 'refuse'));
    fc.assert(
      fc.property(pieces, verdicts, ([sent, places], verdictOf) => {
        const all = Buffer.concat(sent);
        const whole = walk([Buffer.from(all)], verdictOf);
        const inPieces = walk(cut(all, places), verdictOf);
        expect(inPieces.seen).toEqual(whole.seen);
        // Of a frame that is refused late, what came in earlier pieces has passed.
        expect(inPieces.passed).toBeGreaterThanOrEqual(whole.passed);
      }),
      fuzz(300),
    );
  });
});
