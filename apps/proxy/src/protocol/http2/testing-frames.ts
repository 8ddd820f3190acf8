import fc from 'fast-check';
import * as frames from './frame-walker.ts';

/** A frame as it is on the wire (RFC 9113, section 4.1). */
export function frame(type: number, flags: number, stream: number, payload: Buffer | readonly number[] = []): Buffer {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** A field that is spelt out (RFC 7541, section 6.2.2). */
export function field(name: string, value: string): Buffer {
  const text = (octets: string) => [octets.length, ...Buffer.from(octets, 'latin1')];
  return Buffer.from([0, ...text(name), ...text(value)]);
}

const anyField = fc
  .tuple(fc.constantFrom('a', 'x-b', ''), fc.constantFrom('', 'v', 'a b', 'v\r', ' v'))
  .map(([name, value]) => field(name, value));

/** Frames of the kinds that are looked at, sound and unsound, and others. */
export const anyFrame = fc
  .record({
    type: fc.constantFrom(
      frames.DATA,
      frames.HEADERS,
      frames.RST_STREAM,
      frames.GOAWAY,
      frames.CONTINUATION,
      2,
      8,
      6,
      77,
    ),
    flags: fc.constantFrom(0, 1, 4, 5, 8, 0xc, 0xd, 0x20, 0x2d, 0xff),
    stream: fc.constantFrom(0, 1, 2, 3, 5, 0x8000_0001),
    payload: fc.oneof(
      fc.array(anyField, { maxLength: 3 }).map((fields) => Buffer.concat(fields)),
      fc.constantFrom(0, 5, 8).map((code) => Buffer.from([0, 0, 0, code])),
      // The codes of resets are known ones: they differ in their last octet alone.
      fc
        .uint8Array({ maxLength: 12 })
        .filter(({ length }) => length !== 4)
        .map((octets) => Buffer.from(octets)),
    ),
  })
  .map(({ type, flags, stream, payload }) => frame(type, flags, stream, payload));

/** Octets in pieces, cut at these places; pieces of their own memory. */
export function cut(octets: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (octets.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...ends].map((start, index) => Buffer.from(octets.subarray(start, ends[index] ?? octets.length)));
}
