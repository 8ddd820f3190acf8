import type { Random } from '@flotilla/runtime';

/** 64 random bits, for a request that has no hash of its own. */
export function randomHash(random: Random): bigint {
  const high = BigInt(Math.floor(random() * 0x1_0000_0000));
  return (high << 32n) | BigInt(Math.floor(random() * 0x1_0000_0000));
}
