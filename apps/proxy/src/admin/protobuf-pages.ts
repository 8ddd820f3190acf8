import { X509Certificate } from 'node:crypto';
import { RoutingPriority } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import type { CircuitBreakerSettings } from '../upstream/circuit-breaker.ts';
import { create, type DescMessage, type MessageShape, toJson } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { CertificatesSchema, type SubjectAlternateName } from '@flotilla/wire/envoy/admin/v3/certs_pb.js';
import { ClustersSchema } from '@flotilla/wire/envoy/admin/v3/clusters_pb.js';
import { UnreadyTargetsDumpsSchema } from '@flotilla/wire/envoy/admin/v3/init_dump_pb.js';
import { ListenersSchema } from '@flotilla/wire/envoy/admin/v3/listeners_pb.js';
import { MemorySchema } from '@flotilla/wire/envoy/admin/v3/memory_pb.js';
import { ServerInfo_State, ServerInfoSchema } from '@flotilla/wire/envoy/admin/v3/server_info_pb.js';
import { SimpleMetric_Type } from '@flotilla/wire/envoy/admin/v3/metrics_pb.js';
import { type Address, AddressSchema } from '@flotilla/wire/envoy/config/core/v3/address_pb.js';
import { HealthStatus } from '@flotilla/wire/envoy/config/core/v3/health_check_pb.js';
import type { HostDescription } from '../upstream/describe.ts';
import type { AdminState } from './admin-state.ts';

// The pages that Envoy defines as protobuf messages (envoy.admin.v3), in their JSON form.

function print<D extends DescMessage>(schema: D, message: MessageShape<D>, alwaysEmitImplicit = false): string {
  return `${JSON.stringify(toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit }), null, 1)}\n`;
}

export function serverInfo(state: AdminState): string {
  const uptimeMs = Math.max(0, state.clock.now() - state.startedMs);
  const uptime = { seconds: BigInt(Math.floor(uptimeMs / 1_000)), nanos: 0 };
  const isDraining = state.isDraining() || state.health.isFailing;
  return print(
    ServerInfoSchema,
    create(ServerInfoSchema, {
      version: `flotilla/${state.version}/node-${process.versions.node}`,
      state: isDraining
        ? ServerInfo_State.DRAINING
        : state.isReady()
          ? ServerInfo_State.LIVE
          : ServerInfo_State.INITIALIZING,
      uptimeCurrentEpoch: uptime,
      uptimeAllEpochs: uptime,
      hotRestartVersion: 'disabled',
      commandLineOptions: {
        concurrency: state.concurrency,
        configPath: state.configPath,
        logLevel: state.log.level(),
        disableHotRestart: true,
      },
      ...(state.bootstrap.node === undefined ? {} : { node: state.bootstrap.node }),
    }),
    // The state LIVE is its enum's zero, and who asks wants to read it.
    true,
  );
}

export function memory(): string {
  const usage = process.memoryUsage();
  return print(
    MemorySchema,
    create(MemorySchema, {
      allocated: BigInt(usage.heapUsed + usage.external),
      heapSize: BigInt(usage.heapTotal),
      totalPhysicalBytes: BigInt(usage.rss),
    }),
  );
}

export function initDump(state: AdminState): string {
  const targetNames = [...state.config.unready()];
  const dumps = targetNames.length === 0 ? [] : [{ name: 'init manager Server', targetNames }];
  return print(UnreadyTargetsDumpsSchema, create(UnreadyTargetsDumpsSchema, { unreadyTargetsDumps: dumps }));
}

export function listeners(state: AdminState): string {
  const listenerStatuses = state
    .listeners()
    .map(({ name, host, port }) => ({ name, localAddress: addressOf(host, port) }));
  return print(ListenersSchema, create(ListenersSchema, { listenerStatuses }));
}

export function clustersJson(state: AdminState): string {
  const dumps = new Map(state.config.clusters.dump().map((dump) => [dump.name, dump]));
  const clusterStatuses = state.clusters().map((cluster) => {
    const config = dumps.get(cluster.name)?.active?.config;
    return {
      name: cluster.name,
      observabilityName: config?.altStatName || cluster.name,
      addedViaApi: dumps.get(cluster.name)?.isStatic === false,
      edsServiceName: config?.edsClusterConfig?.serviceName ?? '',
      circuitBreakers: {
        thresholds: [
          limitsOf(cluster.thresholds.default, RoutingPriority.DEFAULT),
          limitsOf(cluster.thresholds.high, RoutingPriority.HIGH),
        ],
      },
      hostStatuses: cluster.hosts.map((host) => ({
        address: addressFrom(host.address),
        hostname: host.hostname,
        weight: host.weight,
        priority: host.priority,
        healthStatus: {
          edsHealthStatus: HEALTH[host.discoveredHealth],
          failedOutlierCheck: host.isEjected,
          failedActiveHealthCheck: host.failsActiveCheck,
        },
        stats: statsOf(host).map(([name, value]) => ({
          name,
          value: BigInt(value),
          type: name.endsWith('_active') ? SimpleMetric_Type.GAUGE : SimpleMetric_Type.COUNTER,
        })),
      })),
    };
  });
  return print(ClustersSchema, create(ClustersSchema, { clusterStatuses }));
}

function limitsOf(limits: CircuitBreakerSettings, priority: RoutingPriority) {
  const { maxConnections, maxPendingRequests, maxRequests, maxRetries } = limits;
  return { priority, maxConnections, maxPendingRequests, maxRequests, maxRetries };
}

export function clustersText(state: AdminState): string {
  const dumps = new Map(state.config.clusters.dump().map((dump) => [dump.name, dump]));
  let page = '';
  for (const { name, hosts, thresholds } of state.clusters()) {
    page += `${name}::observability_name::${name}\n`;
    for (const priority of ['default', 'high'] as const) {
      const limits = thresholds[priority];
      page += `${name}::${priority}_priority::max_connections::${limits.maxConnections}\n`;
      page += `${name}::${priority}_priority::max_pending_requests::${limits.maxPendingRequests}\n`;
      page += `${name}::${priority}_priority::max_requests::${limits.maxRequests}\n`;
      page += `${name}::${priority}_priority::max_retries::${limits.maxRetries}\n`;
    }
    page += `${name}::added_via_api::${dumps.get(name)?.isStatic === false}\n`;
    for (const host of hosts) {
      for (const [stat, value] of statsOf(host)) page += `${name}::${host.address}::${stat}::${value}\n`;
      page += `${name}::${host.address}::hostname::${host.hostname}\n`;
      page += `${name}::${host.address}::health_flags::${healthFlags(host)}\n`;
      page += `${name}::${host.address}::weight::${host.weight}\n`;
      page += `${name}::${host.address}::priority::${host.priority}\n`;
      page += `${name}::${host.address}::locality::${host.locality}\n`;
    }
  }
  return page;
}

/** The reasons why a host is not used, each with a slash before it. */
function healthFlags({ discoveredHealth, isEjected, failsActiveCheck }: HostDescription): string {
  const flags = [
    ...(failsActiveCheck ? ['/failed_active_hc'] : []),
    ...(isEjected ? ['/failed_outlier_check'] : []),
    ...(discoveredHealth === 'unhealthy' ? ['/failed_eds_health'] : []),
    ...(discoveredHealth === 'degraded' ? ['/degraded_eds_health'] : []),
  ];
  return flags.length === 0 ? 'healthy' : flags.join('');
}

const HEALTH = {
  healthy: HealthStatus.HEALTHY,
  degraded: HealthStatus.DEGRADED,
  unhealthy: HealthStatus.UNHEALTHY,
} as const;

/** Counts of a host under Envoy's names. */
function statsOf({ counts, activeRequests }: HostDescription): [string, number][] {
  return [
    ['cx_active', counts.cxActive],
    ['cx_connect_fail', counts.cxConnectFail],
    ['cx_total', counts.cxTotal],
    ['rq_active', activeRequests],
    ['rq_error', counts.rqError],
    ['rq_success', counts.rqSuccess],
    ['rq_total', counts.rqTotal],
  ];
}

export function certs(state: AdminState): string {
  const certificates = state.secrets.names().flatMap((name) => {
    const secret = state.secrets.holder(name).current();
    if (secret === null) return [];
    const isOwn = secret.kind === 'certificate';
    const details = certificatesIn(isOwn ? secret.chainPem : secret.trustedCaPem).map((certificate) => ({
      path: '<inline>',
      serialNumber: certificate.serialNumber.toLowerCase(),
      subjectAltNames: altNames(certificate),
      daysUntilExpiration: BigInt(
        Math.max(0, Math.floor((certificate.validToDate.getTime() - state.clock.now()) / 86_400_000)),
      ),
      validFrom: timestampFromMs(certificate.validFromDate.getTime()),
      expirationTime: timestampFromMs(certificate.validToDate.getTime()),
    }));
    return [isOwn ? { certChain: details } : { caCert: details }];
  });
  return print(CertificatesSchema, create(CertificatesSchema, { certificates }));
}

function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

type AltName = Exclude<SubjectAlternateName['name'], { case: undefined }>;

const ALT_NAME_CASES: Readonly<Record<string, AltName['case']>> = { URI: 'uri', DNS: 'dns', 'IP Address': 'ipAddress' };

function altNames({ subjectAltName }: X509Certificate): { name: AltName }[] {
  return (subjectAltName ?? '').split(', ').flatMap((name) => {
    const [, kind = '', value = ''] = /^(URI|DNS|IP Address):(.*)$/.exec(name) ?? [];
    const known = ALT_NAME_CASES[kind];
    return known === undefined ? [] : [{ name: { case: known, value } }];
  });
}

/** `address:port`, or the path of a Unix socket. */
function addressFrom(text: string): Address {
  const match = /^\[?(.*?)\]?:(\d+)$/.exec(text);
  if (match?.[1] === undefined) return create(AddressSchema, { address: { case: 'pipe', value: { path: text } } });
  return addressOf(match[1], Number(match[2]));
}

function addressOf(host: string, port: number): Address {
  return create(AddressSchema, {
    address: { case: 'socketAddress', value: { address: host, portSpecifier: { case: 'portValue', value: port } } },
  });
}
