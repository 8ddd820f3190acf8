import type { Random } from '@flotilla/runtime';
import { EdfQueue } from './edf-queue.ts';
import { type Balanced, EMPTY_PICKER, haveEqualWeights, type Picker } from './picker.ts';

/** Each host in turn; with different weights, in proportion to them and evenly spread. Starts at a random place. */
export function roundRobin<T extends Balanced>(hosts: readonly T[], random: Random): Picker<T> {
  if (hosts.length === 0) return EMPTY_PICKER;
  if (!haveEqualWeights(hosts)) {
    const queue = new EdfQueue(hosts, weightOf, random);
    return { pick: () => queue.next(weightOf) };
  }
  let turn = Math.floor(random() * hosts.length);
  return {
    pick() {
      turn = turn + 1 < hosts.length ? turn + 1 : 0;
      return hosts[turn] ?? null;
    },
  };
}

function weightOf(host: Balanced): number {
  return host.weight;
}
