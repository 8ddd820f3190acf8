import {
  availabilityOf,
  type BalancingSettings,
  type EndpointGroup,
  type EndpointSpec,
  holdsAll,
  type LocalityHosts,
  prioritySharesOf,
  subsetOf,
  type SubsetSettings,
} from '@flotilla/cluster';
import { EMPTY_PICKER, type Picker, slowStart, weightedGroups } from '@flotilla/balance';
import type { Clock, Random } from '@flotilla/runtime';
import type { ClusterStats } from './cluster-stats.ts';
import { Host } from './host.ts';
import { addressKey, type Transport } from './transport.ts';
import type { MetadataMatch } from '@flotilla/route';
import type { UpstreamHost } from '../ports/cluster-manager.ts';

export type HostGroup = LocalityHosts<Host>;

interface Share {
  /** Sum of the loads up to and including this one, per cent. */
  readonly upTo: number;
  readonly picker: Picker<Host>;
}

/**
 * The hosts of a cluster. An update keeps the object of every host whose address and transport stay, lets the others
 * drain, and swaps the picker for a new one.
 */
export class EndpointSet {
  #groups: readonly HostGroup[] = [];
  #byKey = new Map<string, Host>();
  #picker: Picker<Host> = EMPTY_PICKER;
  /** By the priorities that they leave out (for retries) and the subset that they choose from. */
  readonly #otherPickers = new Map<string, Picker<Host>>();
  /** Whether a subset has hosts, by its id. */
  readonly #populated = new Map<string, boolean>();
  readonly #transports: readonly Transport[];
  readonly #balancing: BalancingSettings;
  #overprovisioning: number;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #stats: ClusterStats;

  readonly #onGone: (host: Host) => void;

  /** `onGone`: a host left the set. */
  constructor(
    transports: readonly Transport[],
    balancing: BalancingSettings,
    { random, clock }: { readonly random: Random; readonly clock: Clock },
    stats: ClusterStats,
    onGone: (host: Host) => void = () => undefined,
  ) {
    this.#onGone = onGone;
    this.#transports = transports;
    this.#balancing = balancing;
    this.#overprovisioning = balancing.overprovisioning;
    this.#random = random;
    this.#clock = clock;
    this.#stats = stats;
  }

  get groups(): readonly HostGroup[] {
    return this.#groups;
  }

  hosts(): IterableIterator<Host> {
    return this.#byKey.values();
  }

  /** `excluded`: priorities that are left out unless no other can serve; null for none. */
  pick(
    random: Random,
    hash: bigint | null,
    excluded: ReadonlySet<number> | null = null,
    wanted: MetadataMatch | null = null,
  ): Host | null {
    const { subsets } = this.#balancing;
    const subset = subsets === null ? null : this.#subsetFor(subsets, wanted);
    if (subset === 'none') return null;
    const picker = excluded === null && subset === null ? this.#picker : this.#pickerFor(excluded, subset);
    return picker.pick(random, hash);
  }

  /** The subset that a request goes to; null: all hosts, `none`: no host at all. Counts the choice. */
  #subsetFor(settings: SubsetSettings, wanted: MetadataMatch | null): MetadataMatch | null | 'none' {
    const { subset, fallback } = subsetOf(settings, wanted, (each) => this.#hasHosts(each));
    if (fallback === null) this.#stats.lb_subsets_selected.value += 1;
    else if (fallback !== 'none') this.#stats.lb_subsets_fallback.value += 1;
    return subset;
  }

  #hasHosts(subset: MetadataMatch): boolean {
    let known = this.#populated.get(subset.id);
    if (known === undefined) {
      known = [...this.#byKey.values()].some((host) => holdsAll(host.metadata?.['envoy.lb'] ?? null, subset.wanted));
      this.#populated.set(subset.id, known);
    }
    return known;
  }

  prioritiesOf(hosts: readonly UpstreamHost[]): ReadonlySet<number> {
    const wanted = new Set(hosts);
    return new Set(
      this.#groups.filter((group) => group.hosts.some((host) => wanted.has(host))).map(({ priority }) => priority),
    );
  }

  /** Replaces the whole set; `overprovisioning` in per cent. Requests in flight on hosts that go are left to finish. */
  update(groups: readonly EndpointGroup[], overprovisioning = this.#balancing.overprovisioning): void {
    this.#overprovisioning = overprovisioning;
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
        this.#onGone(host);
      }
    }
    if (changed > 0) this.#stats.membership_change.value += 1;
    this.#rebuild();
  }

  /** The health of hosts changed. */
  refresh(): void {
    this.#rebuild();
  }

  /** The host of an endpoint: the one there is, or a new one. Null for an address given twice. */
  #obtain(spec: EndpointSpec, before: ReadonlyMap<string, Host>, now: Map<string, Host>): Host | null {
    const key = `${spec.transportIndex} ${addressKey(spec)}`;
    const transport = this.#transports[spec.transportIndex];
    if (now.has(key) || transport === undefined) return null;
    const known = before.get(key);
    known?.update(spec);
    const host = known ?? new Host(spec, transport, this.#clock.monotonicMs());
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
    this.#otherPickers.clear();
    this.#populated.clear();
    this.#picker = this.#pickerOfPriorities(null, null) ?? EMPTY_PICKER;
  }

  #pickerFor(excluded: ReadonlySet<number> | null, subset: MetadataMatch | null): Picker<Host> {
    const key = `${[...(excluded ?? [])].sort((a, b) => a - b).join()} ${subset?.id ?? ''}`;
    let picker = this.#otherPickers.get(key);
    if (picker === undefined) {
      picker =
        this.#pickerOfPriorities(excluded, subset) ??
        (excluded === null ? EMPTY_PICKER : subset === null ? this.#picker : this.#pickerFor(null, subset));
      this.#otherPickers.set(key, picker);
    }
    return picker;
  }

  /**
   * One picker for the healthy, the degraded and (in panic) all hosts of each priority, chosen by their loads. Null when
   * those that are left have no usable host.
   */
  #pickerOfPriorities(excluded: ReadonlySet<number> | null, subset: MetadataMatch | null): Picker<Host> | null {
    const isIn = (host: Host): boolean =>
      subset === null || holdsAll(host.metadata?.['envoy.lb'] ?? null, subset.wanted);
    const found = prioritySharesOf(
      this.#groups,
      { overprovisioning: this.#overprovisioning, panicThreshold: this.#balancing.panicThreshold },
      isIn,
      excluded,
    );
    if (found === null) return null;
    let upTo = 0;
    const shares: Share[] = found.map(({ load, isPanic, localities }) => {
      upTo += load;
      if (!isPanic) return { upTo, picker: this.#pickerOf(localities) };
      const isServed = !this.#balancing.failsOnPanic;
      return { upTo, picker: this.#inPanic(isServed ? this.#pickerOf(localities) : EMPTY_PICKER) };
    });
    const [only, second] = shares;
    if (only === undefined) return null;
    if (second === undefined) return only.picker;
    return {
      pick(random, hash = null) {
        const point = hash === null ? random() * 100 : Number(hash % 100n);
        const share = shares.find((each) => point < each.upTo) ?? shares.at(-1);
        return share?.picker.pick(random, hash) ?? null;
      },
    };
  }

  /** Counts each choice that is made without regard to health. */
  #inPanic(picker: Picker<Host>): Picker<Host> {
    const { lb_healthy_panic: count } = this.#stats;
    return {
      pick(random, hash = null) {
        count.value += 1;
        return picker.pick(random, hash);
      },
    };
  }

  #pickerOf(groups: readonly HostGroup[]): Picker<Host> {
    const { usesLocalityWeights } = this.#balancing;
    if (!usesLocalityWeights) return this.#pickerAmong(groups.flatMap((group) => group.hosts));
    return weightedGroups(
      // A locality without a weight gets no requests, as in Envoy.
      groups
        .filter((group) => group.weight > 0)
        .map((group) => ({
          weight: group.weight * availabilityOf(group, this.#groups, this.#overprovisioning),
          picker: this.#pickerAmong(group.hosts),
        })),
      this.#random,
    );
  }

  #pickerAmong(hosts: readonly Host[]): Picker<Host> {
    const { createPicker, slowStart: settings } = this.#balancing;
    const picker = createPicker(hosts, this.#random);
    return settings === null
      ? picker
      : slowStart(hosts, this.#random, picker, settings.weightOf, settings, this.#clock);
  }
}
