import { fuzz } from '@flotilla/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Fault, FrameGuard } from './frame-guard.ts';
import { CONTINUATION, DATA, GOAWAY, HEADERS, PRIORITY, RST_STREAM, WINDOW_UPDATE } from './frame-walker.ts';
import { anyFrame, cut, field, frame } from './testing-frames.ts';

const END_STREAM = 1;
const END_HEADERS = 4;
const PADDED = 8;
const HAS_PRIORITY = 0x20;
const LIMITS = {
  maxConsecutiveInboundFramesWithEmptyPayload: 1,
  maxInboundPriorityFramesPerStream: 2,
  maxInboundWindowUpdateFramesPerDataFrameSent: 1,
};
const PREFACE = Buffer.alloc(24, 'P');

/** What a session is given of octets in pieces, and what it was that ended them. */
function receive(
  pieces: readonly Buffer[],
  role: 'server' | 'client' = 'client',
  guard = new FrameGuard(role, LIMITS, () => undefined),
): { passed: Buffer[]; fault: Fault | null } {
  const passed: Buffer[] = [];
  for (const piece of pieces) {
    for (let rest = piece; rest.length > 0 && guard.fault === null;) {
      const taken = guard.received(rest);
      if (taken > 0) passed.push(rest.subarray(0, taken));
      else if (guard.fault === null) throw new Error('a frame alone is apart');
      rest = rest.subarray(taken);
    }
  }
  return { passed, fault: guard.fault };
}

const BAD = field('a', 'b\r');
const GOOD = field('a', 'b');
const malformed = (stream: number): Fault => ({ details: 'http2.invalid.header.field', stream, isSection: true });

describe('fields', () => {
  const section = Buffer.concat([GOOD, BAD]);
  it.each<[string, Buffer[], Fault | null]>([
    ['that are sound pass', [frame(HEADERS, END_HEADERS, 1, GOOD)], null],
    ['that are not', [frame(HEADERS, END_HEADERS, 1, BAD)], malformed(1)],
    ['of trailers', [frame(HEADERS, END_HEADERS, 1, GOOD), frame(HEADERS, 5, 1, BAD)], malformed(1)],
    ['before padding', [frame(HEADERS, END_HEADERS | PADDED, 1, [3, ...BAD, 0, 0, 0])], malformed(1)],
    ['in padding are none', [frame(HEADERS, END_HEADERS | PADDED, 1, [BAD.length, ...GOOD, ...BAD])], null],
    [
      'after a priority and before padding',
      [frame(HEADERS, END_HEADERS | PADDED | HAS_PRIORITY, 1, [1, 0, 0, 0, 0, 9, ...BAD, 0])],
      malformed(1),
    ],
    [
      'in a continuation',
      [frame(HEADERS, 0, 1, GOOD), frame(CONTINUATION, 0, 1, GOOD), frame(CONTINUATION, END_HEADERS, 1, BAD)],
      malformed(1),
    ],
    ...section
      .map((_, at) => at)
      .reduce<[string, Buffer[], Fault | null][]>((rows, at) => {
        const parts = [
          frame(HEADERS, PADDED, 1, [2, ...section.subarray(0, at), 0, 0]),
          frame(CONTINUATION, END_HEADERS, 1, section.subarray(at)),
        ];
        return [...rows, [`over two frames, cut at octet ${at}`, parts, malformed(1)]];
      }, []),
  ])('%s', (_name, sent, fault) => {
    expect(receive([Buffer.concat(sent)]).fault).toEqual(fault);
    const octets = Buffer.concat(sent);
    expect(receive(cut(octets, [...octets.keys()])).fault).toEqual(fault);
  });

  it('may be cut anywhere: what came before a frame that is refused has passed, and nothing after it', () => {
    const before = frame(DATA, 0, 1, [1, 2]);
    const octets = Buffer.concat([PREFACE, before, frame(HEADERS, END_HEADERS, 3, BAD), frame(DATA, 0, 1, [3])]);
    for (const at of octets.keys()) {
      const { passed, fault } = receive(cut(octets, [at]), 'server');
      expect(fault).toEqual(malformed(3));
      const sent = Buffer.concat(passed);
      expect(sent.length).toBeGreaterThanOrEqual(PREFACE.length + before.length);
      expect(octets.subarray(0, sent.length)).toEqual(sent);
      expect(sent.length).toBeLessThan(octets.length - 10);
    }
  });

  it.each([
    ['longer than its frame', PADDED, [200, 1]],
    ['without its length', PADDED, []],
    ['and a priority that is cut', PADDED | HAS_PRIORITY, [0, 1, 2]],
  ])('padding %s is for the session to judge', (_name, flags, payload) => {
    expect(receive([frame(HEADERS, END_HEADERS | END_STREAM | flags, 1, payload)]).fault).toBeNull();
  });
});

describe('floods', () => {
  const many = (count: number, one: Buffer): Buffer[] => Array.from({ length: count }, () => one);
  it.each<[string, Buffer[], Buffer, string]>([
    ['empty data', [frame(DATA, 0, 1)], frame(DATA, 0, 1), 'http2.inbound_empty_frames_flood'],
    [
      'continuations',
      [frame(HEADERS, 0, 1, GOOD), ...many(8, frame(CONTINUATION, 0, 1, GOOD))],
      frame(CONTINUATION, 0, 1, GOOD),
      'http2.too_many_headers',
    ],
    [
      'priorities',
      many(2, frame(PRIORITY, 0, 1, [0, 0, 0, 0, 1])),
      frame(PRIORITY, 0, 1, [0, 0, 0, 0, 1]),
      'codec_error:Too_many_PRIORITY_frames',
    ],
    [
      'window updates',
      many(5, frame(WINDOW_UPDATE, 0, 0, [0, 0, 0, 1])),
      frame(WINDOW_UPDATE, 0, 0, [0, 0, 0, 1]),
      'codec_error:Too_many_WINDOW_UPDATE_frames',
    ],
  ])('%s: the one too many, and none before it', (_name, allowed, oneMore, details) => {
    expect(receive([Buffer.concat(allowed)]).fault).toBeNull();
    expect(receive([Buffer.concat([...allowed, oneMore])]).fault).toMatchObject({ details });
  });

  it('data between empty frames makes them none, as does the end of a stream', () => {
    const sent = [frame(DATA, 0, 1), frame(DATA, 0, 1, [1]), frame(DATA, 0, 1), frame(DATA, END_STREAM, 1)];
    expect(receive([Buffer.concat(sent)]).fault).toBeNull();
  });

  it('of window updates are measured by the data that was sent', () => {
    const guard = new FrameGuard('client', LIMITS, () => undefined);
    guard.sent(PREFACE);
    for (let count = 0; count < 4; count++) guard.sent(frame(DATA, 0, 1, [1]));
    expect(receive(many(13, frame(WINDOW_UPDATE, 0, 0, [0, 0, 0, 1])), 'client', guard).fault).toBeNull();
    expect(receive([frame(WINDOW_UPDATE, 0, 0, [0, 0, 0, 1])], 'client', guard).fault).not.toBeNull();
  });
});

describe('a reset', () => {
  const reset = (code: number): Buffer => frame(RST_STREAM, 0, 1, [0, 0, 0, code]);
  const answer = frame(HEADERS, END_HEADERS | END_STREAM, 1, GOOD);
  it.each<[string, 'client' | 'server', Buffer[], number]>([
    ['after the end of an answer has no code', 'client', [answer, reset(8)], 0],
    ['after the end in data', 'client', [frame(DATA, END_STREAM, 1), reset(2)], 0],
    ['before it has its own', 'client', [frame(DATA, 0, 1, [1]), reset(2)], 2],
    ['before it without a code has one', 'client', [frame(DATA, 0, 1, [1]), reset(0)], 8],
    ['by a client, whose request has ended, gives its answer up', 'server', [answer, reset(8)], 8],
  ])('%s, wherever it is cut', (_name, role, sent, code) => {
    const octets = Buffer.concat([...(role === 'server' ? [PREFACE] : []), ...sent]);
    for (const at of octets.keys()) {
      const { passed } = receive(cut(octets, [at]), role);
      expect([at, Buffer.concat(passed).at(-1)]).toEqual([at, code]);
    }
  });

  it('comes in a piece of its own, and so does a GOAWAY', () => {
    const goaway = frame(GOAWAY, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0]);
    const { passed } = receive([Buffer.concat([answer, reset(0), goaway])]);
    expect(passed.map((piece) => piece.length)).toEqual([answer.length, 13, goaway.length]);
  });

  it('of a stream that is forgotten is as any other', () => {
    const guard = new FrameGuard('client', LIMITS, () => undefined);
    receive([answer], 'client', guard);
    guard.forget(1);
    expect(receive([reset(8)], 'client', guard).passed[0]?.at(-1)).toBe(8);
  });
});

it('the end of our side of a stream is told, in data or in fields, however it is cut', () => {
  const octets = Buffer.concat([frame(DATA, 0, 1, [1]), frame(DATA, END_STREAM, 1), frame(HEADERS, 5, 3, GOOD)]);
  for (const at of octets.keys()) {
    const ended: number[] = [];
    const guard = new FrameGuard('server', LIMITS, (stream) => ended.push(stream));
    for (const piece of cut(octets, [at])) guard.sent(piece);
    expect(ended).toEqual([1, 3]);
  }
});

it('whatever comes, however it is cut: the same verdict, and the same octets before it', () => {
  const anything = fc.oneof(
    { weight: 9, arbitrary: fc.array(anyFrame, { maxLength: 10 }).map((sent) => Buffer.concat(sent)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets)) },
  );
  fc.assert(
    fc.property(anything, fc.array(fc.nat(), { maxLength: 12 }), (octets, places) => {
      const whole = receive([Buffer.from(octets)]);
      const inPieces = receive(cut(octets, places));
      expect(inPieces.fault).toEqual(whole.fault);
      const [one, other] = [Buffer.concat(whole.passed), Buffer.concat(inPieces.passed)];
      expect(other.subarray(0, one.length)).toEqual(one);
      if (whole.fault === null) expect(other.length).toBe(octets.length);
    }),
    fuzz(500),
  );
});
