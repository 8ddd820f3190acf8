/** What is known of the hosts of one priority. */
export interface PriorityHealth {
  readonly total: number;
  readonly healthy: number;
  readonly degraded: number;
}

/** Per cent of requests that a priority gets, for its healthy and for its degraded hosts. */
export interface PriorityLoad {
  readonly healthy: number;
  readonly degraded: number;
  /** Too few hosts are usable: all of them are used. */
  readonly isPanic: boolean;
}

/**
 * How requests spread over priorities, as Envoy does: a priority takes as much as its usable hosts, overprovisioned,
 * can carry; what is left spills to the next; degraded hosts come after all healthy ones. `overprovisioning` and
 * `panicThreshold` in per cent (140 and 50 by default; a threshold of 0: never panic).
 */
export function loadOfPriorities(
  priorities: readonly PriorityHealth[],
  overprovisioning: number,
  panicThreshold: number,
): PriorityLoad[] {
  const share = (usable: number, total: number) =>
    total === 0 ? 0 : Math.min(100, Math.floor((overprovisioning * usable) / total));
  const healthy = priorities.map((each) => share(each.healthy, each.total));
  const degraded = priorities.map((each) => share(each.degraded, each.total));
  const available = Math.min(100, sum(healthy) + sum(degraded));
  if (available === 0) return loadInTotalPanic(priorities, panicThreshold);
  let left = 100;
  const take = (part: number): number => {
    const load = Math.min(left, Math.floor((part * 100) / available));
    left -= load;
    return load;
  };
  const healthyLoad = healthy.map(take);
  const degradedLoad = degraded.map(take);
  // What rounding left over goes to the first that can take anything.
  const first = healthy.findIndex((part) => part > 0);
  if (first !== -1) healthyLoad[first] = (healthyLoad[first] ?? 0) + left;
  else {
    const firstDegraded = degraded.findIndex((part) => part > 0);
    degradedLoad[firstDegraded] = (degradedLoad[firstDegraded] ?? 0) + left;
  }
  return priorities.map((each, index) => ({
    healthy: healthyLoad[index] ?? 0,
    degraded: degradedLoad[index] ?? 0,
    isPanic: available < 100 && each.total > 0 && (100 * (each.healthy + each.degraded)) / each.total < panicThreshold,
  }));
}

/** No host is usable: by the number of hosts, or by none of them where panic is off. */
function loadInTotalPanic(priorities: readonly PriorityHealth[], panicThreshold: number): PriorityLoad[] {
  const total = sum(priorities.map((each) => each.total));
  let left = 100;
  const loads = priorities.map((each) => {
    const healthy = total === 0 ? 0 : Math.floor((100 * each.total) / total);
    left -= healthy;
    return { healthy, degraded: 0, isPanic: panicThreshold > 0 };
  });
  const first = priorities.findIndex((each) => each.total > 0);
  const load = loads[Math.max(0, first)];
  if (load !== undefined) loads[Math.max(0, first)] = { ...load, healthy: load.healthy + left };
  return loads;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
