import type { Random } from '@flotilla/runtime';
import { EdfQueue } from './edf-queue.ts';
import { type Balanced, EMPTY_PICKER, haveEqualWeights, type Picker } from './picker.ts';

export interface LeastRequestSettings {
  /** Hosts drawn for each pick; Envoy's default is 2. */
  readonly choiceCount: number;
  /** How strongly requests in flight lower a host's weight where weights differ; Envoy's default is 1. */
  readonly activeRequestBias: number;
}

/**
 * With equal weights: draws hosts at random and takes the one with fewest requests in flight. With different weights:
 * goes round by `weight / (requests in flight + 1) ^ bias`. Both as Envoy does.
 */
export function leastRequest<T extends Balanced>(
  hosts: readonly T[],
  random: Random,
  settings: LeastRequestSettings,
): Picker<T> {
  if (hosts.length === 0) return EMPTY_PICKER;
  const { choiceCount, activeRequestBias } = settings;
  if (!haveEqualWeights(hosts)) {
    const weightOf = leastRequestWeight(activeRequestBias);
    const queue = new EdfQueue(hosts, weightOf, random);
    return { pick: () => queue.next(weightOf) };
  }
  return {
    pick(draw) {
      let best: T | null = null;
      for (let choice = 0; choice < choiceCount; choice++) {
        const host = hosts[Math.floor(draw() * hosts.length)] ?? null;
        if (host !== null && (best === null || host.activeRequests < best.activeRequests)) best = host;
      }
      return best;
    },
  };
}

/** What a host's requests in flight leave of its weight. */
export function leastRequestWeight(bias: number): (host: Balanced) => number {
  if (bias === 0) return (host) => host.weight;
  if (bias === 1) return (host) => host.weight / (host.activeRequests + 1);
  return (host) => host.weight / (host.activeRequests + 1) ** bias;
}
