import type { Random } from '@flotilla/runtime';
import type { Fields } from '../values.ts';

/** A generated case, as the YAML of a scenario says it. */
export type Generate = (random: Random) => Fields;

export function pick<T>(random: Random, values: readonly T[]): T {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
}

export function chance(random: Random, share: number): boolean {
  return random() < share;
}

/** From 1 to `most` values. */
export function several<T>(random: Random, most: number, make: () => T): T[] {
  return Array.from({ length: 1 + Math.floor(random() * most) }, make);
}
