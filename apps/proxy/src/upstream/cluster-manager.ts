import { equals } from '@bufbuild/protobuf';
import type { Logger } from '@flotilla/observe';
import { FlotillaError } from '@flotilla/runtime';
import { type Cluster as ClusterProto, ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { ClusterLoadAssignment } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { Cluster, type ClusterTools } from './cluster.ts';
import { type ClusterSettings, compileCluster } from './cluster-settings.ts';
import { clusterStatPrefix } from './cluster-stats.ts';
import { overprovisioningOf, readAssignment } from '@flotilla/cluster';
import { type ClusterDescription, describeCluster } from './describe.ts';
import { systemLookup } from './dns.ts';
import { resolveGroups } from './dns-groups.ts';
import type { ClusterManager } from '../ports/cluster-manager.ts';

export interface ClusterManagerOptions extends ClusterTools {
  readonly logger: Logger;
}

/** The clusters of one proxy process. */
export interface OpenClusterManager extends ClusterManager {
  /** Throws `invalid` for a cluster that cannot be used; changes nothing. */
  check(cluster: ClusterProto): void;
  /** As `check`, for endpoints. */
  checkEndpoints(assignment: ClusterLoadAssignment): void;
  /** Adds or replaces a cluster. The replaced one drains: requests in flight finish on it. Throws `invalid`. */
  apply(cluster: ClusterProto): void;
  /** Sets the hosts of every EDS cluster of that name, now and when one is added later. Throws `invalid`. */
  applyEndpoints(assignment: ClusterLoadAssignment): void;
  remove(name: string): void;
  /** Hosts are known (EDS arrived, DNS answered). */
  isWarm(name: string): boolean;
  /** Calls back when a cluster becomes warm. Returns the function that ends it. */
  onWarm(listener: (name: string) => void): () => void;
  describe(): ClusterDescription[];
  /** Breaks all connections. */
  close(): void;
}

interface Entry {
  readonly proto: ClusterProto;
  readonly cluster: Cluster;
  isWarm: boolean;
  readonly stopDiscovery: () => void;
}

/** Opens an empty cluster manager. The caller closes it. */
export function openClusterManager(options: ClusterManagerOptions): OpenClusterManager {
  const entries = new Map<string, Entry>();
  const assignments = new Map<string, ClusterLoadAssignment>();
  /** Clusters by the name that their endpoints have in EDS. */
  const byEdsName = new Map<string, Set<Entry>>();
  const warmListeners = new Set<(name: string) => void>();
  const tools = { lookup: options.lookup ?? systemLookup, clock: options.clock, random: options.random };

  function warmed(entry: Entry): void {
    entry.cluster.whenChecked(() => {
      if (entry.isWarm) return;
      entry.isWarm = true;
      for (const listener of warmListeners) listener(entry.cluster.name);
    });
  }

  function start(proto: ClusterProto, settings: ClusterSettings): Entry {
    const cluster = new Cluster(settings, options);
    const { discovery } = settings;
    if (discovery.kind !== 'dns') {
      const entry: Entry = { proto, cluster, isWarm: false, stopDiscovery: () => undefined };
      if (discovery.kind !== 'eds') warmed(entry);
      return entry;
    }
    const stopDiscovery = resolveGroups(discovery, tools, {
      onGroups(groups) {
        cluster.stats.update_success.value += 1;
        cluster.updateEndpoints(groups);
        warmed(entry);
      },
      onFailure(hostname, error) {
        cluster.stats.update_failure.value += 1;
        options.logger.warn('a name of a cluster cannot be resolved', { cluster: cluster.name, hostname, error });
      },
    });
    const entry: Entry = { proto, cluster, isWarm: false, stopDiscovery };
    return entry;
  }

  function stop(entry: Entry): void {
    entry.stopDiscovery();
    entry.cluster.drain();
  }

  function feed(entry: Entry, assignment: ClusterLoadAssignment): void {
    const { cluster } = entry;
    const groups = readAssignment(assignment, cluster.settings.transports.select, false);
    cluster.stats.update_attempt.value += 1;
    cluster.stats.update_success.value += 1;
    if (groups.every((group) => group.endpoints.length === 0)) cluster.stats.update_empty.value += 1;
    cluster.updateEndpoints(groups, overprovisioningOf(assignment));
    warmed(entry);
  }

  /** Forgets the endpoints of a cluster that is gone, unless another cluster has them too. */
  function forgetEndpoints({ cluster }: Entry): void {
    const { discovery } = cluster.settings;
    if (discovery.kind === 'eds' && !byEdsName.has(discovery.serviceName)) assignments.delete(discovery.serviceName);
  }

  function add(entry: Entry): void {
    entries.set(entry.cluster.name, entry);
    const { discovery } = entry.cluster.settings;
    if (discovery.kind !== 'eds') return;
    const users = byEdsName.get(discovery.serviceName);
    if (users === undefined) byEdsName.set(discovery.serviceName, new Set([entry]));
    else users.add(entry);
  }

  function dropEdsName(entry: Entry): void {
    const { discovery } = entry.cluster.settings;
    if (discovery.kind !== 'eds') return;
    const users = byEdsName.get(discovery.serviceName);
    users?.delete(entry);
    if (users?.size === 0) byEdsName.delete(discovery.serviceName);
  }

  function checkEndpoints(assignment: ClusterLoadAssignment): void {
    try {
      readAssignment(assignment, () => 0, false);
    } catch (error) {
      throw FlotillaError.from(error, 'invalid').within(`endpoints "${assignment.clusterName}"`);
    }
  }

  return {
    get: (name) => entries.get(name)?.cluster ?? null,
    check: (proto) => void compileCluster(proto),
    checkEndpoints,
    apply(proto) {
      const known = entries.get(proto.name);
      if (known !== undefined && equals(ClusterSchema, known.proto, proto)) return;
      const entry = start(proto, compileCluster(proto));
      const { discovery } = entry.cluster.settings;
      const assignment = discovery.kind === 'eds' ? assignments.get(discovery.serviceName) : undefined;
      if (assignment !== undefined) feed(entry, assignment);
      add(entry);
      if (known === undefined) return;
      dropEdsName(known);
      stop(known);
      forgetEndpoints(known);
    },
    applyEndpoints(assignment) {
      checkEndpoints(assignment);
      assignments.set(assignment.clusterName, assignment);
      for (const entry of byEdsName.get(assignment.clusterName) ?? []) feed(entry, assignment);
    },
    remove(name) {
      const entry = entries.get(name);
      if (entry === undefined) return;
      entries.delete(name);
      dropEdsName(entry);
      stop(entry);
      options.stats.removePrefix(clusterStatPrefix(entry.cluster.settings.statName));
      forgetEndpoints(entry);
    },
    isWarm: (name) => entries.get(name)?.isWarm ?? false,
    onWarm(listener) {
      warmListeners.add(listener);
      return () => warmListeners.delete(listener);
    },
    describe: () => [...entries.values()].map((entry) => describeCluster(entry.cluster)),
    close() {
      for (const entry of entries.values()) {
        entry.stopDiscovery();
        entry.cluster.destroy();
      }
      entries.clear();
      byEdsName.clear();
    },
  };
}
