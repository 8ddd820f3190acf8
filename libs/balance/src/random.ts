import type { Balanced, Picker } from './picker.ts';

/** Any host, each as likely as the others. Weights do not count, as in Envoy. */
export function randomChoice<T extends Balanced>(hosts: readonly T[]): Picker<T> {
  return { pick: (random) => hosts[Math.floor(random() * hosts.length)] ?? null };
}
