import { fuzz } from '@flotilla/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameCounter, FrameReader, frameOf } from './frames.ts';

/** Messages, and the bytes of all their frames cut at arbitrary places. */
const streams = fc
  .tuple(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), fc.array(fc.nat(60), { maxLength: 20 }))
  .map(([messages, cuts]) => {
    const bytes = Buffer.concat(messages.map(frameOf));
    const places = [...new Set(cuts.filter((cut) => cut < bytes.length))].toSorted((left, right) => left - right);
    const chunks = [0, ...places].map((start, index) => bytes.subarray(start, places[index] ?? bytes.length));
    return { messages, chunks };
  });

describe('gRPC frames', () => {
  it('come out as they went in, however they are cut', () => {
    fc.assert(
      fc.property(streams, ({ messages, chunks }) => {
        const reader = new FrameReader();
        const frames = chunks.flatMap((chunk) => reader.push(chunk));
        expect(frames.map(({ message }) => [...message])).toEqual(messages.map((message) => [...message]));
        expect(reader.pendingBytes).toBe(0);
      }),
      fuzz(100),
    );
  });

  it('are counted without being kept', () => {
    fc.assert(
      fc.property(streams, ({ messages, chunks }) => {
        const counter = new FrameCounter();
        for (const chunk of chunks) counter.push(chunk);
        expect(counter.count).toBe(messages.length);
      }),
      fuzz(100),
    );
  });

  it('take any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), (chunks) => {
        const reader = new FrameReader();
        const counter = new FrameCounter();
        for (const chunk of chunks) {
          counter.push(Buffer.from(chunk));
          try {
            reader.push(Buffer.from(chunk));
          } catch (error) {
            expect(error).toMatchObject({ code: 'invalid' });
          }
        }
      }),
      fuzz(100),
    );
  });
});
