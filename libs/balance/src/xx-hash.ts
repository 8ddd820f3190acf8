const MASK = 0xffff_ffff_ffff_ffffn;
const PRIME_1 = 0x9e37_79b1_85eb_ca87n;
const PRIME_2 = 0xc2b2_ae3d_27d4_eb4fn;
const PRIME_3 = 0x1656_67b1_9e37_79f9n;
const PRIME_4 = 0x85eb_ca77_c2b2_ae63n;
const PRIME_5 = 0x27d4_eb2f_1656_67c5n;

const UTF8 = new TextEncoder();

const rotated = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & MASK;
const round = (sum: bigint, input: bigint): bigint => (rotated((sum + input * PRIME_2) & MASK, 31n) * PRIME_1) & MASK;
const merged = (sum: bigint, part: bigint): bigint => ((sum ^ round(0n, part)) * PRIME_1 + PRIME_4) & MASK;

/**
 * XXH64 of a text's UTF-8 bytes (the xxHash specification, version 0.1.1): what Envoy hashes keys and hosts with, so
 * that both send a key to the same host.
 */
export function xxHash64(text: string, seed = 0n): bigint {
  const bytes = UTF8.encode(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { length } = bytes;
  let at = 0;
  let sum: bigint;
  if (length >= 32) {
    let a = (seed + PRIME_1 + PRIME_2) & MASK;
    let b = (seed + PRIME_2) & MASK;
    let c = seed;
    let d = (seed - PRIME_1) & MASK;
    for (; at + 32 <= length; at += 32) {
      a = round(a, view.getBigUint64(at, true));
      b = round(b, view.getBigUint64(at + 8, true));
      c = round(c, view.getBigUint64(at + 16, true));
      d = round(d, view.getBigUint64(at + 24, true));
    }
    sum = (rotated(a, 1n) + rotated(b, 7n) + rotated(c, 12n) + rotated(d, 18n)) & MASK;
    for (const part of [a, b, c, d]) sum = merged(sum, part);
  } else sum = (seed + PRIME_5) & MASK;
  sum = (sum + BigInt(length)) & MASK;
  for (; at + 8 <= length; at += 8) {
    sum = (rotated(sum ^ round(0n, view.getBigUint64(at, true)), 27n) * PRIME_1 + PRIME_4) & MASK;
  }
  if (at + 4 <= length) {
    sum = (rotated(sum ^ ((BigInt(view.getUint32(at, true)) * PRIME_1) & MASK), 23n) * PRIME_2 + PRIME_3) & MASK;
    at += 4;
  }
  for (; at < length; at++) sum = (rotated(sum ^ ((BigInt(bytes[at] ?? 0) * PRIME_5) & MASK), 11n) * PRIME_1) & MASK;
  sum = ((sum ^ (sum >> 33n)) * PRIME_2) & MASK;
  sum = ((sum ^ (sum >> 29n)) * PRIME_3) & MASK;
  return sum ^ (sum >> 32n);
}
