import { anyPack, type Any } from '@bufbuild/protobuf/wkt';
import { type Clock, FlotillaError } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import {
  type Cluster,
  Cluster_DiscoveryType,
  ClusterSchema,
} from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { ClusterLoadAssignment } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { type SecretReference, secretsOfCluster } from '../identity/secret-references.ts';
import type { StatsRegistry } from '../observe/stats.ts';
import { fetchTimeoutMs, requireAds } from './config-source.ts';
import { decodeCluster, decodeEndpoints } from './decode-resource.ts';
import type { ApplyUpdate, DiscoveryUpdate, Refusal } from './discovery-stream.ts';
import { untilHostsKnown } from './hosts-known.ts';
import { isSameResource, type RefusedRecord, refusedRecord, type ResourceRecord } from './resource-record.ts';
import { startWarming, type Warming } from './warming.ts';

/** Where clusters go when they are ready (the cluster manager). */
export interface ClusterTarget {
  /** Throws `invalid` for a cluster that cannot be used, and changes nothing. */
  check(cluster: Cluster): void;
  checkEndpoints(assignment: ClusterLoadAssignment): void;
  apply(cluster: Cluster): void;
  applyEndpoints(assignment: ClusterLoadAssignment): void;
  remove(name: string): void;
  /** Hosts are known; DNS clusters learn them after `apply`. */
  isWarm(name: string): boolean;
  /** Calls back when a cluster becomes warm. */
  onWarm(listener: (name: string) => void): () => void;
}

/** Where missing secrets come from. */
export interface SecretNeeds {
  /** Starts the source of a secret. Throws `invalid` when it has none. */
  require(reference: SecretReference): void;
  isPresent(name: string): boolean;
}

export interface ClusterSetOptions {
  readonly target: ClusterTarget;
  readonly secrets: SecretNeeds;
  readonly stats: StatsRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with all EDS names that are needed, whenever they change. */
  readonly onEndpointNames: (names: ReadonlySet<string>) => void;
}

interface ClusterEntry {
  readonly isStatic: boolean;
  active: (ResourceRecord & { readonly config: Cluster }) | null;
  next: (ResourceRecord & { readonly config: Cluster; readonly warming: Warming }) | null;
  refused: RefusedRecord | null;
}

interface EndpointEntry extends ResourceRecord {
  readonly config: ClusterLoadAssignment;
}

export type ClusterDump = Readonly<Omit<ClusterEntry, 'next'>> & {
  readonly name: string;
  readonly next: ResourceRecord | null;
};

/** All clusters of the proxy, static and dynamic, with their endpoints: CDS and EDS. */
export interface ClusterSet {
  /** Throws `invalid`. */
  addStatic(cluster: Cluster): void;
  readonly applyClusters: ApplyUpdate;
  readonly applyEndpoints: ApplyUpdate;
  secretArrived(name: string): void;
  /** Names of clusters that wait for something, with what. */
  warming(): { readonly name: string; readonly pending: readonly string[] }[];
  /** Settles when nothing warms that warms now. */
  settled(): Promise<void>;
  names(): string[];
  dump(): readonly ClusterDump[];
  dumpEndpoints(): readonly ResourceRecord[];
  close(): void;
}

export function createClusterSet(options: ClusterSetOptions): ClusterSet {
  const { target, secrets, stats, clock, logger } = options;
  const entries = new Map<string, ClusterEntry>();
  const endpoints = new Map<string, EndpointEntry>();
  /** EDS names that the control plane said do not exist. */
  const absent = new Set<string>();
  let endpointNames: ReadonlySet<string> = new Set();
  const counters = {
    added: stats.counter('cluster_manager.cluster_added'),
    modified: stats.counter('cluster_manager.cluster_modified'),
    removed: stats.counter('cluster_manager.cluster_removed'),
    warmings: stats.counter('cluster_manager.cluster_warmings'),
    timeouts: stats.counter('cluster_manager.cds.init_fetch_timeout'),
    active: stats.gauge('cluster_manager.active_clusters'),
    warming: stats.gauge('cluster_manager.warming_clusters'),
  };

  function put(config: Cluster, record: ResourceRecord, isStatic: boolean): Promise<void> | null {
    const known = entries.get(config.name);
    if (known?.isStatic === true) throw new FlotillaError('invalid', 'a static cluster has this name');
    const latest = known?.next ?? known?.active;
    if (known && latest && isSameResource(latest.resource, record.resource)) {
      latest.version = record.version;
      return known.next?.warming.settled ?? null;
    }
    target.check(config);
    const needs = needsOf(config);
    const entry = known ?? { isStatic, active: null, next: null, refused: null };
    entries.set(config.name, entry);
    entry.refused = null;
    entry.next?.warming.cancel();
    entry.next = null;
    if (needs.size === 0) {
      activate(entry, config, record);
      publishNames();
      return null;
    }
    counters.warmings.value += 1;
    const warming = startWarming({
      needs,
      clock,
      onReady(missing) {
        if (missing.length > 0) {
          counters.timeouts.value += 1;
          logger.warn('a cluster is used without what it waited for', { cluster: config.name, missing });
        }
        const version = entry.next?.version ?? record.version;
        entry.next = null;
        try {
          activate(entry, config, { ...record, version });
        } catch (error) {
          entry.refused = refusedRecord(FlotillaError.from(error), record, clock.now());
          logger.error('a cluster that was checked could not be used', { cluster: config.name, error });
        }
        count();
      },
    });
    entry.next = { ...record, config, warming };
    publishNames();
    return warming.settled;
  }

  function needsOf(config: Cluster): Map<string, number> {
    const needs = new Map<string, number>();
    const endpointName = endpointNameOf(config);
    if (endpointName !== null) {
      const source = config.edsClusterConfig?.edsConfig;
      requireAds(source, 'eds_cluster_config.eds_config');
      if (!endpoints.has(endpointName) && !absent.has(endpointName)) {
        needs.set(`eds:${endpointName}`, fetchTimeoutMs(source));
      }
    }
    for (const reference of secretsOfCluster(config)) {
      secrets.require(reference);
      if (!secrets.isPresent(reference.name)) {
        needs.set(`secret:${reference.name}`, fetchTimeoutMs(reference.source ?? undefined));
      }
    }
    return needs;
  }

  function activate(entry: ClusterEntry, config: Cluster, record: ResourceRecord): void {
    target.apply(config);
    const endpointName = endpointNameOf(config);
    const assignment = endpointName === null ? undefined : endpoints.get(endpointName);
    if (assignment !== undefined) target.applyEndpoints(assignment.config);
    (entry.active === null ? counters.added : counters.modified).value += 1;
    entry.active = { ...record, config };
    count();
  }

  function remove(name: string): void {
    const entry = entries.get(name);
    if (entry === undefined || entry.isStatic) return;
    entry.next?.warming.cancel();
    entries.delete(name);
    if (entry.active !== null) target.remove(name);
    counters.removed.value += 1;
  }

  /** Says which EDS names are needed, and forgets endpoints that nobody needs. */
  function publishNames(): void {
    count();
    const names = new Set<string>();
    for (const { active, next } of entries.values()) {
      for (const record of [active, next]) {
        const name = record === null ? null : endpointNameOf(record.config);
        if (name !== null) names.add(name);
      }
    }
    if (names.size === endpointNames.size && [...names].every((name) => endpointNames.has(name))) return;
    endpointNames = names;
    for (const name of endpoints.keys()) if (!names.has(name)) endpoints.delete(name);
    for (const name of absent) if (!names.has(name)) absent.delete(name);
    options.onEndpointNames(names);
  }

  function count(): void {
    let warming = 0;
    let active = 0;
    for (const entry of entries.values()) {
      if (entry.next !== null) warming += 1;
      if (entry.active !== null) active += 1;
    }
    counters.active.value = active;
    counters.warming.value = warming;
  }

  function satisfy(need: string): void {
    for (const { next } of [...entries.values()]) next?.warming.satisfy(need);
  }

  async function applyClusters(update: DiscoveryUpdate): Promise<readonly Refusal[]> {
    const refusals: Refusal[] = [];
    const waiting: Promise<void>[] = [];
    for (const { name, version, resource } of update.resources) {
      try {
        const config = decodeCluster(name, resource);
        const settled = put(config, recordOf(name, version, resource), false);
        if (settled !== null) waiting.push(settled);
      } catch (error) {
        const reason = FlotillaError.from(error);
        refusals.push({ name, reason: reason.message });
        const entry = entries.get(name);
        if (entry !== undefined) entry.refused = refusedRecord(reason, { version, resource }, clock.now());
      }
    }
    for (const name of update.removed) remove(name);
    publishNames();
    await Promise.all(waiting);
    return refusals;
  }

  async function applyEndpoints(update: DiscoveryUpdate): Promise<readonly Refusal[]> {
    const refusals: Refusal[] = [];
    for (const { name, version, resource } of update.resources) {
      if (!endpointNames.has(name)) continue;
      try {
        const config = decodeEndpoints(name, resource);
        const known = endpoints.get(name);
        const isSame = known !== undefined && resource !== null && isSameResource(known.resource, resource);
        if (!isSame) {
          target.checkEndpoints(config);
          if (hasActive(name)) target.applyEndpoints(config);
        }
        absent.delete(name);
        endpoints.set(name, { ...recordOf(name, version, resource), config });
        satisfy(`eds:${name}`);
      } catch (error) {
        refusals.push({ name, reason: FlotillaError.from(error).message });
      }
    }
    for (const name of update.removed) {
      // Endpoints in use stay, as in Envoy: a cluster goes by CDS. One that waits learns that there are none.
      if (!endpointNames.has(name)) continue;
      absent.add(name);
      satisfy(`eds:${name}`);
    }
    return refusals;
  }

  function hasActive(endpointName: string): boolean {
    for (const { active } of entries.values()) {
      if (active !== null && endpointNameOf(active.config) === endpointName) return true;
    }
    return false;
  }

  function recordOf(name: string, version: string, resource: Any | null): ResourceRecord {
    if (resource === null) throw new FlotillaError('invalid', 'the resource is empty');
    return { name, version, resource, updatedMs: clock.now() };
  }

  return {
    addStatic(config) {
      put(config, recordOf(config.name, '', anyPack(ClusterSchema, config)), true);
    },
    applyClusters,
    applyEndpoints,
    secretArrived: (name) => satisfy(`secret:${name}`),
    warming: () =>
      [...entries].flatMap(([name, { next }]) => (next === null ? [] : [{ name, pending: [...next.warming.pending] }])),
    async settled() {
      await Promise.all([...entries.values()].map(({ next }) => next?.warming.settled));
      const active = [...entries].filter(([, entry]) => entry.active !== null).map(([name]) => name);
      await untilHostsKnown(active, target, clock);
    },
    names: () => [...entries.keys()],
    dump: () => [...entries].map(([name, entry]) => ({ name, ...entry })),
    dumpEndpoints: () => [...endpoints.values()],
    close() {
      for (const { next } of entries.values()) next?.warming.cancel();
    },
  };
}

/** The name that a cluster's endpoints have in EDS; null for other kinds of cluster. */
function endpointNameOf(config: Cluster): string | null {
  const { clusterDiscoveryType: discovery } = config;
  if (discovery.case !== 'type' || discovery.value !== Cluster_DiscoveryType.EDS) return null;
  return config.edsClusterConfig?.serviceName || config.name;
}
