import type { Random } from '@flotilla/runtime';
import { EdfQueue } from './edf-queue.ts';
import { EMPTY_PICKER, type Picker } from './picker.ts';

export interface WeightedGroup<T> {
  /** Above 0. */
  readonly weight: number;
  readonly picker: Picker<T>;
}

/** First a group by its weight, then a host by the group's own picker (localities with weights). */
export function weightedGroups<T>(groups: readonly WeightedGroup<T>[], random: Random): Picker<T> {
  const [first, second] = groups;
  if (first === undefined) return EMPTY_PICKER;
  if (second === undefined) return first.picker;
  const queue = new EdfQueue(groups, weightOf, random);
  return { pick: (draw, hash) => queue.next(weightOf)?.picker.pick(draw, hash) ?? null };
}

function weightOf(group: { readonly weight: number }): number {
  return group.weight;
}
