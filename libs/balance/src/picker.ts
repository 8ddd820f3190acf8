import type { Random } from '@flotilla/runtime';

/** What a picker reads of a host. */
export interface Balanced {
  /** At least 1. */
  readonly weight: number;
  /** Requests in flight, kept by the owner. */
  readonly activeRequests: number;
}

/**
 * Chooses among a fixed set of hosts, synchronously. The set never changes: an update makes a new picker.
 * Only a turn or a queue position moves inside.
 */
export interface Picker<T> {
  /** Null when there are no hosts. `hash`: of the request, for pickers that go by it; null: it has none. */
  pick(random: Random, hash?: bigint | null): T | null;
}

/** Builds a picker for a set of hosts; `random` sets where it starts. */
export type PickerFactory = <T extends Balanced>(hosts: readonly T[], random: Random) => Picker<T>;

/** The picker of an empty set. */
export const EMPTY_PICKER: Picker<never> = { pick: () => null };

/** True when no host weighs more than another. */
export function haveEqualWeights(hosts: readonly Balanced[]): boolean {
  const first = hosts[0]?.weight;
  return hosts.every((host) => host.weight === first);
}
