import { loadOfPriorities, type PriorityHealth } from '@flotilla/balance';
import type { HostHealth } from './endpoint-spec.ts';

/** The hosts of one locality and priority. */
export interface LocalityHosts<H> {
  readonly priority: number;
  readonly locality: string;
  /** Among the localities of the priority; 0: it has none. */
  readonly weight: number;
  readonly hosts: readonly H[];
}

/** The part of a cluster's requests that goes to the hosts of one priority. */
export interface PriorityShare<H> {
  /** Per cent, above 0. */
  readonly load: number;
  readonly priority: number;
  /** Too few are healthy: all of them are used, whatever their health. */
  readonly isPanic: boolean;
  readonly localities: readonly LocalityHosts<H>[];
}

const NO_HOSTS: PriorityHealth = { total: 0, healthy: 0, degraded: 0 };

/**
 * How requests spread over the priorities: the healthy hosts of each first, then the degraded ones. `isIn`: the hosts
 * that are counted at all; `excluded`: priorities that are left out, null when none of the others has a usable host.
 */
export function prioritySharesOf<H extends { readonly health: HostHealth }>(
  groups: readonly LocalityHosts<H>[],
  settings: { readonly overprovisioning: number; readonly panicThreshold: number },
  isIn: (host: H) => boolean,
  excluded: ReadonlySet<number> | null,
): PriorityShare<H>[] | null {
  const count = Math.max(-1, ...groups.map((group) => group.priority)) + 1;
  const health = Array.from({ length: count }, (_, priority) =>
    excluded?.has(priority) === true ? NO_HOSTS : healthOf(localitiesOf(groups, priority, isIn)),
  );
  if (excluded !== null && health.every(({ healthy, degraded }) => healthy + degraded === 0)) return null;
  const loads = loadOfPriorities(health, settings.overprovisioning, settings.panicThreshold);
  return (['healthy', 'degraded'] as const).flatMap((kind) =>
    loads.flatMap((load, priority): PriorityShare<H>[] => {
      if (load[kind] === 0) return [];
      const isUsable = (host: H): boolean => isIn(host) && (load.isPanic || host.health === kind);
      const localities = localitiesOf(groups, priority, isUsable);
      return [{ load: load[kind], priority, isPanic: load.isPanic, localities }];
    }),
  );
}

/** What the usable hosts of a locality can carry of its weight, in (0,1]; `overprovisioning` in per cent. */
export function availabilityOf<H>(
  { priority, locality, hosts }: LocalityHosts<H>,
  groups: readonly LocalityHosts<H>[],
  overprovisioning: number,
): number {
  const all = groups.find((group) => group.priority === priority && group.locality === locality)?.hosts ?? hosts;
  return Math.min(1, (overprovisioning / 100) * (hosts.length / all.length));
}

function localitiesOf<H>(
  groups: readonly LocalityHosts<H>[],
  priority: number,
  isUsable: (host: H) => boolean,
): LocalityHosts<H>[] {
  return groups
    .filter((group) => group.priority === priority)
    .map((group) => ({ ...group, hosts: group.hosts.filter(isUsable) }))
    .filter((group) => group.hosts.length > 0);
}

function healthOf(groups: readonly LocalityHosts<{ readonly health: HostHealth }>[]): PriorityHealth {
  const hosts = groups.flatMap((group) => group.hosts);
  const count = (health: HostHealth): number => hosts.filter((host) => host.health === health).length;
  return { total: hosts.length, healthy: count('healthy'), degraded: count('degraded') };
}
