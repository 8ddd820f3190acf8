import type { Random } from '@flotilla/runtime';
import { type Balanced, EMPTY_PICKER, type Picker } from './picker.ts';
import { randomHash } from './random-hash.ts';
import { xxHash64 } from './xx-hash.ts';

/** Slots of the table: a prime, well above the number of hosts; Envoy's default. */
export const MAGLEV_TABLE_SIZE = 65_537;

/**
 * Maglev's table (Eisenbud et al., NSDI 2016, section 3.4) with Envoy's hashes and weights: hosts take turns at their
 * next free slot until all are taken.
 */
export function maglev<T extends Balanced>(
  hosts: readonly T[],
  keyOf: (host: T) => string,
  tableSize: number,
): Picker<T> {
  if (hosts.length === 0) return EMPTY_PICKER;
  const heaviest = Math.max(...hosts.map((host) => host.weight));
  const size = BigInt(tableSize);
  const entries = hosts
    .map((host) => ({ host, key: keyOf(host) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ host, key }) => ({
      host,
      slot: Number(xxHash64(key) % size),
      skip: Number(xxHash64(key, 1n) % (size - 1n)) + 1,
      target: 0,
    }));
  const table = new Array<T | undefined>(tableSize);
  for (let turn = 1, taken = 0; taken < tableSize; turn++) {
    for (const entry of entries) {
      if (taken === tableSize) break;
      // The heaviest host has a slot in every turn, others in proportion.
      if (turn * entry.host.weight < entry.target) continue;
      entry.target += heaviest;
      while (table[entry.slot] !== undefined) entry.slot = (entry.slot + entry.skip) % tableSize;
      table[entry.slot] = entry.host;
      entry.slot = (entry.slot + entry.skip) % tableSize;
      taken += 1;
    }
  }
  return {
    pick: (random: Random, hash: bigint | null = null) => table[Number((hash ?? randomHash(random)) % size)] ?? null,
  };
}
