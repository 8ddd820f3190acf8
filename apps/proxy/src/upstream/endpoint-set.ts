import { EMPTY_PICKER, type Picker, weightedGroups } from '@flotilla/balance';
import type { Random } from '@flotilla/runtime';
import type { ClusterStats } from './cluster-stats.ts';
import type { EndpointGroup } from './endpoints.ts';
import { type EndpointSpec, Host } from './host.ts';
import type { BalancingSettings } from './load-balancing.ts';
import { addressKey, type Transport } from './transport.ts';

/** The hosts of one locality and priority. */
export interface HostGroup {
  readonly priority: number;
  readonly locality: string;
  readonly weight: number;
  readonly hosts: readonly Host[];
}

/**
 * The hosts of a cluster. An update keeps the object of every host whose address and transport stay, lets the others
 * drain, and swaps the picker for a new one.
 */
export class EndpointSet {
  #groups: readonly HostGroup[] = [];
  #byKey = new Map<string, Host>();
  #picker: Picker<Host> = EMPTY_PICKER;
  readonly #transports: readonly Transport[];
  readonly #balancing: BalancingSettings;
  readonly #random: Random;
  readonly #stats: ClusterStats;

  constructor(transports: readonly Transport[], balancing: BalancingSettings, random: Random, stats: ClusterStats) {
    this.#transports = transports;
    this.#balancing = balancing;
    this.#random = random;
    this.#stats = stats;
  }

  get groups(): readonly HostGroup[] {
    return this.#groups;
  }

  hosts(): IterableIterator<Host> {
    return this.#byKey.values();
  }

  pick(random: Random): Host | null {
    return this.#picker.pick(random);
  }

  /** Replaces the whole set. Requests in flight on hosts that go are left to finish. */
  update(groups: readonly EndpointGroup[]): void {
    const before = this.#byKey;
    const now = new Map<string, Host>();
    this.#groups = groups.map(({ priority, locality, weight, endpoints }) => ({
      priority,
      locality,
      weight,
      hosts: endpoints.flatMap((spec) => this.#obtain(spec, before, now) ?? []),
    }));
    this.#byKey = now;
    let changed = now.size;
    for (const [key, host] of before) {
      if (now.has(key)) changed -= 1;
      else {
        changed += 1;
        host.drain();
      }
    }
    if (changed > 0) this.#stats.membership_change.value += 1;
    this.#rebuild();
  }

  /** The host of an endpoint: the one there is, or a new one. Null for an address given twice. */
  #obtain(spec: EndpointSpec, before: ReadonlyMap<string, Host>, now: Map<string, Host>): Host | null {
    const key = `${spec.transportIndex} ${addressKey(spec)}`;
    const transport = this.#transports[spec.transportIndex];
    if (now.has(key) || transport === undefined) return null;
    const known = before.get(key);
    known?.update(spec);
    const host = known ?? new Host(spec, transport);
    now.set(key, host);
    return host;
  }

  /** Counts the hosts and makes a picker for them as they are now. */
  #rebuild(): void {
    const { membership_total: total, membership_healthy: healthy, membership_degraded: degraded } = this.#stats;
    total.value = healthy.value = degraded.value = 0;
    for (const host of this.#byKey.values()) {
      total.value += 1;
      if (host.health === 'healthy') healthy.value += 1;
      else if (host.health === 'degraded') degraded.value += 1;
    }
    this.#picker = this.#pickerOfPriorities();
  }

  /**
   * The first priority with usable hosts takes all requests: healthy ones, or degraded ones where none is healthy.
   * When no priority has any, the first that has hosts at all takes them in spite of their health ("panic").
   */
  #pickerOfPriorities(): Picker<Host> {
    const priorities = [...new Set(this.#groups.map((group) => group.priority))].sort((a, b) => a - b);
    for (const health of ['healthy', 'degraded'] as const) {
      for (const priority of priorities) {
        const usable = this.#groupsOf(priority, (host) => host.health === health);
        if (usable.length > 0) return this.#pickerOf(usable);
      }
    }
    if (this.#balancing.panicThreshold === 0) return EMPTY_PICKER;
    for (const priority of priorities) {
      const all = this.#groupsOf(priority, () => true);
      if (all.length === 0) continue;
      this.#stats.lb_healthy_panic.value += 1;
      return this.#pickerOf(all);
    }
    return EMPTY_PICKER;
  }

  #groupsOf(priority: number, isUsable: (host: Host) => boolean): HostGroup[] {
    return this.#groups
      .filter((group) => group.priority === priority)
      .map((group) => ({ ...group, hosts: group.hosts.filter(isUsable) }))
      .filter((group) => group.hosts.length > 0);
  }

  #pickerOf(groups: readonly HostGroup[]): Picker<Host> {
    const { createPicker, usesLocalityWeights } = this.#balancing;
    if (!usesLocalityWeights)
      return createPicker(
        groups.flatMap((group) => group.hosts),
        this.#random,
      );
    return weightedGroups(
      // A locality without a weight gets no requests, as in Envoy.
      groups
        .filter((group) => group.weight > 0)
        .map((group) => ({ weight: group.weight, picker: createPicker(group.hosts, this.#random) })),
      this.#random,
    );
  }
}
