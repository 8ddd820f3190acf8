import type { ClusterTarget } from './cluster-target.ts';
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
import type { StatsRegistry } from '../base/stats.ts';
import { fetchTimeoutMs, requireAds } from '../base/config-source.ts';
import { decodeCluster, decodeEndpoints } from './decode-resource.ts';
import type { ApplyUpdate, DiscoveryUpdate, Refusal } from './discovery-stream.ts';
import { untilHostsKnown } from './hosts-known.ts';
import { isSameResource, type RefusedRecord, refusedRecord, type ResourceRecord } from './resource-record.ts';
import { NameUses } from './name-uses.ts';
import { createWaitingRoom, startWarming, type Warming } from './warming.ts';

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
  /** What `onFault` does not throw is let be. */
  addStatic(clusters: readonly Cluster[], onFault: (cluster: Cluster, error: unknown) => void): void;
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
  /** EDS names by the clusters, in use and warming, that need them. */
  const needed = new NameUses();
  /** The same of the clusters in use. */
  const active = new NameUses();
  /** Names whose need has changed since it was said. */
  const changedNames = new Set<string>();
  const waiting = createWaitingRoom();
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
    setNext(entry, null);
    if (needs.size === 0) {
      activate(entry, config, record);
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
        try {
          activate(entry, config, { ...record, version });
        } catch (error) {
          entry.refused = refusedRecord(FlotillaError.from(error), record, clock.now());
          logger.error('a cluster that was checked could not be used', { cluster: config.name, error });
        }
        setNext(entry, null);
      },
    });
    waiting.enter(warming);
    setNext(entry, { ...record, config, warming });
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
    setActive(entry, { ...record, config });
  }

  function setActive(entry: ClusterEntry, record: ClusterEntry['active']): void {
    counters.active.value += Number(record !== null) - Number(entry.active !== null);
    const [before, after] = [entry.active, record].map((one) => (one === null ? null : endpointNameOf(one.config)));
    if (typeof after === 'string') active.add(after);
    if (typeof before === 'string') active.remove(before);
    setNeed(entry.active, record);
    entry.active = record;
  }

  function setNext(entry: ClusterEntry, record: ClusterEntry['next']): void {
    counters.warming.value += Number(record !== null) - Number(entry.next !== null);
    setNeed(entry.next, record);
    entry.next = record;
  }

  function setNeed(before: { readonly config: Cluster } | null, after: { readonly config: Cluster } | null): void {
    const name = after === null ? null : endpointNameOf(after.config);
    if (name !== null && needed.add(name)) changedNames.add(name);
    const old = before === null ? null : endpointNameOf(before.config);
    if (old !== null && needed.remove(old)) changedNames.add(old);
  }

  function remove(name: string): void {
    const entry = entries.get(name);
    if (entry === undefined || entry.isStatic) return;
    entry.next?.warming.cancel();
    entries.delete(name);
    if (entry.active !== null) target.remove(name);
    setActive(entry, null);
    setNext(entry, null);
    counters.removed.value += 1;
  }

  /** Says which EDS names are needed, and forgets endpoints that nobody needs. */
  function publishNames(): void {
    if (changedNames.size === 0) return;
    for (const name of changedNames) {
      if (needed.names.has(name)) continue;
      endpoints.delete(name);
      absent.delete(name);
    }
    changedNames.clear();
    options.onEndpointNames(needed.names);
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
      if (!needed.names.has(name)) continue;
      try {
        const config = decodeEndpoints(name, resource);
        const known = endpoints.get(name);
        const isSame = known !== undefined && resource !== null && isSameResource(known.resource, resource);
        if (!isSame) {
          target.checkEndpoints(config);
          if (active.names.has(name)) target.applyEndpoints(config);
        }
        absent.delete(name);
        endpoints.set(name, { ...recordOf(name, version, resource), config });
        waiting.satisfy(`eds:${name}`);
      } catch (error) {
        refusals.push({ name, reason: FlotillaError.from(error).message });
      }
    }
    for (const name of update.removed) {
      // Endpoints in use stay, as in Envoy: a cluster goes by CDS. One that waits learns that there are none.
      if (!needed.names.has(name)) continue;
      absent.add(name);
      waiting.satisfy(`eds:${name}`);
    }
    return refusals;
  }

  function recordOf(name: string, version: string, resource: Any | null): ResourceRecord {
    if (resource === null) throw new FlotillaError('invalid', 'the resource is empty');
    return { name, version, resource, updatedMs: clock.now() };
  }

  return {
    addStatic(clusters, onFault) {
      for (const config of clusters) {
        try {
          put(config, recordOf(config.name, '', anyPack(ClusterSchema, config)), true);
        } catch (error) {
          onFault(config, error);
        }
      }
      publishNames();
    },
    applyClusters,
    applyEndpoints,
    secretArrived: (name) => waiting.satisfy(`secret:${name}`),
    warming: () =>
      [...entries].flatMap(([name, { next }]) => (next === null ? [] : [{ name, pending: [...next.warming.pending] }])),
    async settled() {
      await Promise.all([...entries.values()].map(({ next }) => next?.warming.settled));
      const used = [...entries].filter(([, entry]) => entry.active !== null).map(([name]) => name);
      await untilHostsKnown(used, target, clock);
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
