import fc from 'fast-check';
import { FlotillaError } from '@flotilla/runtime';
import { describe, expect, it } from 'vitest';
import { decodeAnnouncement, encodeAnnouncement, MAX_ANNOUNCED_KEYS } from './announcement.ts';

const text = fc.string({ maxLength: 40 });
const key = fc.record({ group: text, kind: text, namespace: text, name: text });
const announcement = fc.record({ epoch: text, version: fc.maxSafeNat(), keys: fc.array(key, { maxLength: 20 }) });

function decodeOrRefuse(bytes: Uint8Array): unknown {
  try {
    return decodeAnnouncement(bytes);
  } catch (error) {
    if (!(error instanceof FlotillaError) || error.code !== 'invalid') throw error;
    return null;
  }
}

describe('an announcement', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(announcement, (written) => {
        expect(decodeAnnouncement(Buffer.from(encodeAnnouncement(written)))).toEqual(written);
      }),
    );
  });

  it('is refused or read, and nothing else, whatever the bytes are', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void decodeOrRefuse(bytes)));
    fc.assert(fc.property(fc.json(), (json) => void decodeOrRefuse(Buffer.from(json))));
  });

  it('is refused or read when bytes of a good one are changed', () => {
    fc.assert(
      fc.property(announcement, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }), (written, edits) => {
        const bytes = Buffer.from(encodeAnnouncement(written));
        for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
        decodeOrRefuse(bytes);
      }),
    );
  });

  it.each<[string, string]>([
    [
      'too many keys',
      JSON.stringify({ epoch: '', version: 1, keys: Array(MAX_ANNOUNCED_KEYS + 1).fill(['', '', '', '']) }),
    ],
    ['a key of three parts', '{"epoch":"","version":1,"keys":[["","",""]]}'],
    ['a part that is no text', '{"epoch":"","version":1,"keys":[["","","",1]]}'],
    ['a version past what a number holds', '{"epoch":"","version":9007199254740993,"keys":[]}'],
    ['no epoch', '{"version":1,"keys":[]}'],
    ['more bytes than one has', `"${'x'.repeat(1 << 20)}"`],
    ['deep nesting', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ])('is refused with %s', (_, json) => {
    expect(decodeOrRefuse(Buffer.from(json))).toBeNull();
  });
});
