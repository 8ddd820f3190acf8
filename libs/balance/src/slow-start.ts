import type { Clock, Random } from '@flotilla/runtime';
import { EdfQueue } from './edf-queue.ts';
import type { Balanced, Picker } from './picker.ts';

/** A host that knows since when it serves. */
export interface Starting extends Balanced {
  /** On the monotonic clock, in milliseconds. */
  readonly healthySinceMs: number;
}

export interface SlowStartSettings {
  /** How long a host takes from first serving to its full share. */
  readonly windowMs: number;
  /** How the share grows with time: as `time ^ (1 / aggression)`, so that 1 is a line. */
  readonly aggression: number;
  /** The smallest share, in (0,1]. */
  readonly minShare: number;
}

/** The part of its weight that a host has now, in (0,1] (Envoy's slow start mode). */
export function slowStartShare({ healthySinceMs }: Starting, settings: SlowStartSettings, nowMs: number): number {
  const { windowMs, aggression, minShare } = settings;
  const ageMs = nowMs - healthySinceMs;
  if (ageMs >= windowMs) return 1;
  const time = Math.max(1, ageMs) / windowMs;
  return Math.max(minShare, aggression === 1 ? time : time ** (1 / aggression));
}

/**
 * While any host is in its slow start: each in proportion to its weight (`weightOf`) times its share. Afterwards as
 * `inner` picks.
 */
export function slowStart<T extends Starting>(
  hosts: readonly T[],
  random: Random,
  inner: Picker<T>,
  weightOf: (host: T) => number,
  settings: SlowStartSettings,
  clock: Clock,
): Picker<T> {
  const endMs = Math.max(-Infinity, ...hosts.map((host) => host.healthySinceMs)) + settings.windowMs;
  if (hosts.length < 2 || clock.monotonicMs() >= endMs) return inner;
  const sharedWeightOf = (host: T): number => weightOf(host) * slowStartShare(host, settings, clock.monotonicMs());
  const queue = new EdfQueue(hosts, sharedWeightOf, random);
  return {
    pick: (draw, hash = null) => (clock.monotonicMs() < endMs ? queue.next(sharedWeightOf) : inner.pick(draw, hash)),
  };
}
