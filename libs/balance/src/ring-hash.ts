import type { Random } from '@flotilla/runtime';
import { randomHash } from './random-hash.ts';
import { type Balanced, EMPTY_PICKER, type Picker } from './picker.ts';

export interface RingHashSettings {
  readonly minSize: number;
  readonly maxSize: number;
  readonly hash: (text: string) => bigint;
}

/**
 * A consistent-hash ring as Envoy builds it: each host in as many places as its weight asks for, at the hashes of
 * `<key>_<number>`; a request goes to the first place at or after its own hash. Requests without a hash go anywhere.
 */
export function ringHash<T extends Balanced>(
  hosts: readonly T[],
  keyOf: (host: T) => string,
  { minSize, maxSize, hash }: RingHashSettings,
): Picker<T> {
  if (hosts.length === 0) return EMPTY_PICKER;
  const total = hosts.reduce((sum, host) => sum + host.weight, 0);
  const smallest = Math.min(...hosts.map((host) => host.weight)) / total;
  // The lightest host gets a whole number of places.
  const scale = Math.min(Math.ceil(smallest * minSize) / smallest, maxSize);
  const places: { readonly at: bigint; readonly host: T }[] = [];
  let wanted = 0;
  for (const host of hosts) {
    wanted += scale * (host.weight / total);
    const key = keyOf(host);
    for (let number = 0; places.length < wanted; number++) places.push({ at: hash(`${key}_${number}`), host });
  }
  places.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return {
    pick(random: Random, wantedHash: bigint | null = null) {
      const at = wantedHash ?? randomHash(random);
      let low = 0;
      let high = places.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((places[middle]?.at ?? 0n) < at) low = middle + 1;
        else high = middle;
      }
      return (places[low] ?? places[0])?.host ?? null;
    },
  };
}
