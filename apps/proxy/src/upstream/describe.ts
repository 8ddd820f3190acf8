import type { RoutingPriority } from '@flotilla/route';
import type { CircuitBreakerSettings } from './circuit-breaker.ts';
import type { Cluster } from './cluster.ts';
import type { Host, HostCounts } from './host.ts';
import type { HostHealth } from '@flotilla/cluster';

/** What `/clusters` shows of one host. */
export interface HostDescription {
  readonly address: string;
  readonly hostname: string;
  readonly discoveredHealth: HostHealth;
  /** Taken out by outlier detection. */
  readonly isEjected: boolean;
  /** Does not pass its active health checks. */
  readonly failsActiveCheck: boolean;
  readonly weight: number;
  readonly priority: number;
  readonly locality: string;
  readonly activeRequests: number;
  readonly counts: HostCounts;
}

/** What `/clusters` shows of one cluster. */
export interface ClusterDescription {
  readonly name: string;
  readonly discovery: 'static' | 'eds' | 'dns' | 'dynamic' | 'original-dst';
  /** EDS name, null for other kinds. */
  readonly edsServiceName: string | null;
  readonly thresholds: Readonly<Record<RoutingPriority, CircuitBreakerSettings>>;
  readonly hosts: readonly HostDescription[];
}

export function describeCluster(cluster: Cluster): ClusterDescription {
  const { discovery, breakers } = cluster.settings;
  const grouped = cluster.groups.flatMap((group) =>
    group.hosts.map((host) => describeHost(host, group.priority, group.locality)),
  );
  const onDemand =
    discovery.kind === 'original-dst' || discovery.kind === 'dynamic'
      ? [...cluster.hosts()].map((host) => describeHost(host, 0, ''))
      : [];
  return {
    name: cluster.name,
    discovery: discovery.kind,
    edsServiceName: discovery.kind === 'eds' ? discovery.serviceName : null,
    thresholds: breakers,
    hosts: [...grouped, ...onDemand],
  };
}

function describeHost(host: Host, priority: number, locality: string): HostDescription {
  const { address, hostname, discoveredHealth, isEjected, failsActiveCheck, weight, activeRequests, counts } = host;
  return {
    address,
    hostname,
    discoveredHealth,
    isEjected,
    failsActiveCheck,
    weight,
    priority,
    locality,
    activeRequests,
    counts: { ...counts },
  };
}
