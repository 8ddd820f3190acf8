import type { RoutingPriority } from '@flotilla/route';
import { durationMs, type Duration } from '@bufbuild/protobuf/wkt';
import { ClusterConfigSchema } from '@flotilla/wire/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.js';
import { FlotillaError } from '@flotilla/runtime';
import {
  type Cluster,
  Cluster_DiscoveryType as DiscoveryType,
  type Cluster_CustomClusterType as CustomType,
} from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { RoutingPriority as PriorityProto } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { inField, refuse, unpackValid } from '@flotilla/envoy';
import type { Http2Settings } from '../protocol/http2/settings.ts';
import type { DestinationService, FilterMetadata } from '@flotilla/stream';
import { type CircuitBreakerSettings, DEFAULT_CIRCUIT_BREAKER } from './circuit-breaker.ts';
import { compileDnsSettings, type DnsSettings } from './dns-settings.ts';
import { type BalancingSettings, compileBalancing, type EndpointGroup, readAssignment } from '@flotilla/cluster';
import { compileHealthCheck, type HealthCheckSettings } from './health-check/settings.ts';
import { compileOutlierDetection, type OutlierSettings } from './outlier-settings.ts';
import type { PoolSettings } from './pooled.ts';
import { compileDnsCache } from './dns-cache.ts';
import type { DynamicHostSettings } from './dynamic-hosts.ts';
import { compileProtocolOptions, type ProtocolChoice } from './protocol-options.ts';
import { compileTransportSockets, type TransportSocketSettings } from './transport-sockets.ts';
import type { SocketSettings } from './transport.ts';

/** Where a cluster's hosts come from. */
export type Discovery =
  | { readonly kind: 'static'; readonly groups: readonly EndpointGroup[] }
  | { readonly kind: 'eds'; readonly serviceName: string }
  | { readonly kind: 'dns'; readonly groups: readonly EndpointGroup[]; readonly dns: DnsSettings }
  | { readonly kind: 'dynamic'; readonly settings: DynamicHostSettings }
  | { readonly kind: 'original-dst'; readonly portOverride: number | null; readonly cleanupIntervalMs: number };

/** A `Cluster`, compiled. Plain data: nothing is opened yet. */
export interface ClusterSettings {
  readonly name: string;
  readonly statName: string;
  readonly discovery: Discovery;
  readonly balancing: BalancingSettings;
  readonly breakers: Readonly<Record<RoutingPriority, CircuitBreakerSettings>>;
  /** Null: hosts are not checked actively. */
  readonly healthCheck: HealthCheckSettings | null;
  /** Null: no host is taken out for what it answers. */
  readonly outliers: OutlierSettings | null;
  readonly pool: PoolSettings;
  readonly transports: TransportSocketSettings;
  readonly protocol: ProtocolChoice;
  readonly http2: Http2Settings;
  /** Of one request's stream; 0: no limit. */
  readonly maxStreamDurationMs: number;
  readonly autoSni: boolean;
  readonly autoSanValidation: boolean;
  readonly destinationService: DestinationService | null;
  readonly metadata: FilterMetadata | null;
}

/** Envoy's default connect time-out. */
const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
const DEFAULT_CLEANUP_INTERVAL_MS = 5_000;

/**
 * Compiles a cluster. Throws `invalid` naming cluster, field and reason for anything that is malformed or cannot be
 * honoured. Not read, because they change no answer: statistics and load-report settings, preconnecting, warming
 * hints, buffer sizes, health-check follow-ups without a health check.
 */
export function compileCluster(cluster: Cluster): ClusterSettings {
  try {
    if (cluster.name === '') refuse('name', 'is empty');
    const transports = compileTransportSockets(cluster);
    const { protocol, http2, autoSni, autoSanValidation, maxStreamDurationMs, ...limits } =
      compileProtocolOptions(cluster);
    return {
      name: cluster.name,
      statName: cluster.altStatName === '' ? cluster.name : cluster.altStatName,
      discovery: compileDiscovery(cluster, transports),
      balancing: compileBalancing(cluster),
      breakers: {
        default: compileBreaker(cluster, PriorityProto.DEFAULT),
        high: compileBreaker(cluster, PriorityProto.HIGH),
      },
      healthCheck: compileHealthCheck(cluster.healthChecks),
      outliers: compileOutlierDetection(cluster.outlierDetection),
      pool: {
        ...limits,
        ...compileSocketSettings(cluster),
        connectTimeoutMs: millis(cluster.connectTimeout, DEFAULT_CONNECT_TIMEOUT_MS),
      },
      transports,
      protocol,
      http2,
      maxStreamDurationMs,
      autoSni,
      autoSanValidation,
      destinationService: serviceOf(cluster),
      metadata: cluster.metadata?.filterMetadata ?? null,
    };
  } catch (error) {
    throw FlotillaError.from(error, 'invalid').within(`cluster "${cluster.name}"`);
  }
}

function compileDiscovery(cluster: Cluster, transports: TransportSocketSettings): Discovery {
  const rule = cluster.clusterDiscoveryType;
  if (rule.case === 'clusterType') return compileDynamic(rule.value, transports);
  const type = rule.value ?? DiscoveryType.STATIC;
  switch (type) {
    case DiscoveryType.STATIC:
      return { kind: 'static', groups: ownEndpoints(cluster, transports, false) };
    case DiscoveryType.EDS:
      if (cluster.edsClusterConfig === undefined) refuse('eds_cluster_config', 'is missing');
      return { kind: 'eds', serviceName: cluster.edsClusterConfig?.serviceName || cluster.name };
    case DiscoveryType.STRICT_DNS:
      return { kind: 'dns', groups: ownEndpoints(cluster, transports, true), dns: compileDnsSettings(cluster, true) };
    case DiscoveryType.LOGICAL_DNS: {
      const groups = ownEndpoints(cluster, transports, true);
      if (groups.length !== 1 || groups[0]?.endpoints.length !== 1) {
        refuse('load_assignment', 'must hold exactly one endpoint for LOGICAL_DNS');
      }
      return { kind: 'dns', groups, dns: compileDnsSettings(cluster, false) };
    }
    case DiscoveryType.ORIGINAL_DST:
      return compileOriginalDst(cluster);
  }
}

function compileDynamic({ name, typedConfig }: CustomType, { all }: TransportSocketSettings): Discovery {
  const config = typedConfig === undefined ? undefined : unpackValid(typedConfig, ClusterConfigSchema);
  if (config === undefined) return refuse('cluster_type', `"${name}" is not supported`);
  const path = 'cluster_type.typed_config';
  const implementation = config.clusterImplementationSpecifier;
  if (implementation.case !== 'dnsCacheConfig') return refuse(`${path}.dns_cache_config`, 'is missing');
  const cache = inField(`${path}.dns_cache_config`, () => compileDnsCache(implementation.value));
  return { kind: 'dynamic', settings: { ...cache, defaultPort: all.at(-1)?.tls === null ? 80 : 443 } };
}

function ownEndpoints(cluster: Cluster, transports: TransportSocketSettings, acceptsNames: boolean): EndpointGroup[] {
  const { loadAssignment } = cluster;
  if (loadAssignment === undefined) return [];
  return inField('load_assignment', () => readAssignment(loadAssignment, transports.select, acceptsNames));
}

function compileOriginalDst(cluster: Cluster): Discovery {
  const { lbConfig } = cluster;
  const config = lbConfig.case === 'originalDstLbConfig' ? lbConfig.value : undefined;
  return {
    kind: 'original-dst',
    portOverride: config?.upstreamPortOverride ?? null,
    cleanupIntervalMs: millis(cluster.cleanupInterval, DEFAULT_CLEANUP_INTERVAL_MS),
  };
}

function compileBreaker(cluster: Cluster, priority: PriorityProto): CircuitBreakerSettings {
  const thresholds = cluster.circuitBreakers?.thresholds.find((each) => each.priority === priority);
  const { retryBudget } = thresholds ?? {};
  return {
    maxConnections: thresholds?.maxConnections ?? DEFAULT_CIRCUIT_BREAKER.maxConnections,
    maxPendingRequests: thresholds?.maxPendingRequests ?? DEFAULT_CIRCUIT_BREAKER.maxPendingRequests,
    maxRequests: thresholds?.maxRequests ?? DEFAULT_CIRCUIT_BREAKER.maxRequests,
    maxRetries: thresholds?.maxRetries ?? DEFAULT_CIRCUIT_BREAKER.maxRetries,
    retryBudget:
      retryBudget === undefined
        ? null
        : { percent: retryBudget.budgetPercent?.value ?? 20, minConcurrency: retryBudget.minRetryConcurrency ?? 3 },
    showsRemaining: thresholds?.trackRemaining === true,
  };
}

function compileSocketSettings(cluster: Cluster): SocketSettings {
  const bind = cluster.upstreamBindConfig;
  const keepAlive = cluster.upstreamConnectionOptions?.tcpKeepalive;
  return {
    localAddresses: [bind?.sourceAddress, ...(bind?.extraSourceAddresses ?? []).map(({ address }) => address)].flatMap(
      (source) => (source === undefined ? [] : [source.address]),
    ),
    keepAlive:
      keepAlive === undefined
        ? null
        : {
            // Linux' defaults where a field is not set.
            delayMs: (keepAlive.keepaliveTime ?? 7_200) * 1_000,
            intervalMs: (keepAlive.keepaliveInterval ?? 75) * 1_000,
            count: keepAlive.keepaliveProbes ?? 9,
          },
  };
}

/** Istio's cluster metadata: the service that the cluster stands for. */
function serviceOf(cluster: Cluster): DestinationService | null {
  const services = cluster.metadata?.filterMetadata['istio']?.['services'];
  const [first] = Array.isArray(services) ? services : [];
  if (typeof first !== 'object' || first === null || Array.isArray(first)) return null;
  const { host, name, namespace } = first;
  if (typeof host !== 'string') return null;
  return {
    host,
    name: typeof name === 'string' ? name : '',
    namespace: typeof namespace === 'string' ? namespace : '',
  };
}

function millis(duration: Duration | undefined, fallback: number): number {
  return duration === undefined ? fallback : durationMs(duration);
}
