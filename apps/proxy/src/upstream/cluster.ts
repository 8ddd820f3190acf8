import type { RoutingPriority } from '@flotilla/route';
import { isIP, type Socket } from 'node:net';
import type { Clock, Random } from '@flotilla/runtime';
import { hostWithoutPort } from '@flotilla/match';
import type { SecretStore } from '../ports/secret-store.ts';
import type { StatsRegistry } from '../base/stats.ts';
import type { DestinationService, StreamInfo, FilterMetadata } from '@flotilla/stream';
import type { SharedReader } from '../sockets/shared-reader.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import type { ClusterSettings } from './cluster-settings.ts';
import { clusterStatPrefix, type ClusterStats, openClusterStats } from './cluster-stats.ts';
import { dial } from './dial.ts';
import { type Lookup, systemLookup } from './dns.ts';
import { DynamicHosts } from './dynamic-hosts.ts';
import { EndpointSet, type HostGroup } from './endpoint-set.ts';
import type { EndpointGroup } from '@flotilla/cluster';
import { HealthChecker } from './health-check/checker.ts';
import type { Host } from './host.ts';
import { OutlierDetector } from './outlier-detector.ts';
import { OriginalDestinations } from './original-dst.ts';
import { PoolAuto } from './pool-auto.ts';
import { PoolH1 } from './pool-h1.ts';
import { PoolH2 } from './pool-h2.ts';
import type { PoolContext, RequestPool } from './pooled.ts';
import type { ProtocolChoice } from './protocol-options.ts';
import { proxyHeaderFor } from './proxy-header.ts';
import { tlsClientStats } from './tls-transport.ts';
import { openTransport } from './transport-sockets.ts';
import type { Transport } from './transport.ts';
import type {
  ConnectHandler,
  PickContext,
  UpstreamCluster,
  UpstreamEvent,
  UpstreamHandler,
  UpstreamHost,
  UpstreamRequest,
  UpstreamStream,
  HostOutcome,
} from '../ports/cluster-manager.ts';

/**
 * A retry looks this many times longer than it is told to for a host that was not tried yet. A host that fails at once has
 * no requests in flight, so the least-request balancer would come back to it, and so would the retry.
 */
const MORE_ATTEMPTS = 20;

/** What every cluster of a proxy uses. */
export interface ClusterTools {
  readonly secrets: SecretStore;
  readonly stats: StatsRegistry;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether a destination is one that this proxy listens on itself: nothing is passed on to it. Default: none is. */
  /** Default: the system's resolver. */
  readonly lookup?: Lookup;
  readonly isOwnListener?: (destination: { readonly host: string; readonly port: number }) => boolean;
}

/** A raw connection stands for an answer, too: nothing else is seen of the host (Envoy). */
const CONNECTED: HostOutcome = { kind: 'connected' };

const EVENT_COUNTERS = {
  'retry-success': 'upstream_rq_retry_success',
  'retry-limit-exceeded': 'upstream_rq_retry_limit_exceeded',
  'backoff-exponential': 'upstream_rq_retry_backoff_exponential',
  'backoff-ratelimited': 'upstream_rq_retry_backoff_ratelimited',
  timeout: 'upstream_rq_timeout',
  'per-try-timeout': 'upstream_rq_per_try_timeout',
  'per-try-idle-timeout': 'upstream_rq_per_try_idle_timeout',
  'max-duration': 'upstream_rq_max_duration_reached',
  'connect-attempts-exceeded': 'upstream_cx_connect_attempts_exceeded',
} as const satisfies Record<UpstreamEvent, string>;

/** One running cluster: its hosts, their pools, its limits. */
export class Cluster implements UpstreamCluster {
  readonly name: string;
  readonly settings: ClusterSettings;
  readonly destinationService: DestinationService | null;
  readonly metadata: FilterMetadata | null;
  readonly stats: ClusterStats;
  readonly #endpoints: EndpointSet;
  readonly #originalDestinations: OriginalDestinations | null;
  readonly dynamicHosts: DynamicHosts | null;
  readonly #transports: readonly Transport[];
  readonly #pools: Readonly<Record<RoutingPriority, PoolContext>>;
  readonly #breakers: Readonly<Record<RoutingPriority, CircuitBreaker>>;
  readonly #outliers: OutlierDetector | null;
  readonly #checker: HealthChecker | null;
  readonly #clock: Clock;

  constructor(settings: ClusterSettings, tools: ClusterTools) {
    const { name, statName, discovery, transports } = settings;
    this.name = name;
    this.settings = settings;
    this.destinationService = settings.destinationService;
    this.metadata = settings.metadata;
    this.stats = openClusterStats(tools.stats, statName);
    this.#clock = tools.clock;
    this.#breakers = {
      default: new CircuitBreaker(settings.breakers.default, tools.stats, statName, 'default'),
      high: new CircuitBreaker(settings.breakers.high, tools.stats, statName, 'high'),
    };
    const pools = (breaker: CircuitBreaker): PoolContext => ({
      settings: settings.pool,
      breaker,
      stats: this.stats,
      clock: tools.clock,
      before: null,
      onEmpty: null,
    });
    this.#pools = { default: pools(this.#breakers.default), high: pools(this.#breakers.high) };
    const tls = tlsClientStats(tools.stats, clusterStatPrefix(statName));
    this.#transports = transports.all.map((each) => openTransport(each, tools, tls, settings.autoSanValidation));
    for (const transport of this.#transports) transport.subscribe(() => this.#transportChanged(transport));
    this.#endpoints = new EndpointSet(this.#transports, settings.balancing, tools, this.stats, (host) =>
      this.#outliers?.forget(host),
    );
    this.#outliers =
      settings.outliers === null
        ? null
        : new OutlierDetector(settings.outliers, statName, {
            ...tools,
            hosts: () => this.#endpoints.hosts(),
            onChange: () => this.#endpoints.refresh(),
          });
    this.#checker =
      settings.healthCheck === null
        ? null
        : new HealthChecker(settings.healthCheck, name, statName, {
            ...tools,
            dialing: settings.pool,
            hasTraffic: () => this.stats.upstream_cx_total.value > 0,
            onChange: () => this.#endpoints.refresh(),
            onPassed: (host) => this.#outliers?.onHealthCheckPassed(host),
          });
    const plain = this.#transports[transports.select(null)];
    this.#originalDestinations =
      discovery.kind === 'original-dst' && plain !== undefined
        ? new OriginalDestinations({
            transport: plain,
            portOverride: discovery.portOverride,
            cleanupIntervalMs: discovery.cleanupIntervalMs,
            clock: tools.clock,
            isOwnListener: tools.isOwnListener ?? (() => false),
          })
        : null;
    this.dynamicHosts =
      discovery.kind === 'dynamic' && plain !== undefined
        ? new DynamicHosts(discovery.settings, {
            transport: plain,
            lookup: tools.lookup ?? systemLookup,
            clock: tools.clock,
            random: tools.random,
            isOwnListener: tools.isOwnListener ?? (() => false),
          })
        : null;
    if (discovery.kind === 'static') this.updateEndpoints(discovery.groups);
  }

  get maxStreamDurationMs(): number {
    return this.settings.maxStreamDurationMs;
  }

  get groups(): readonly HostGroup[] {
    return this.#endpoints.groups;
  }

  *hosts(): IterableIterator<Host> {
    yield* this.#endpoints.hosts();
    if (this.#originalDestinations !== null) yield* this.#originalDestinations.hosts();
    if (this.dynamicHosts !== null) yield* this.dynamicHosts.hosts();
  }

  /** `overprovisioning` in per cent; default: the cluster's own. */
  updateEndpoints(groups: readonly EndpointGroup[], overprovisioning?: number): void {
    this.#endpoints.update(groups, overprovisioning);
    if (this.#checker === null) return;
    this.#checker.follow(this.#endpoints.hosts());
    this.#endpoints.refresh();
  }

  /** Calls back when the hosts may be used: at once, or after their first health checks. */
  whenChecked(callback: () => void): void {
    if (this.#checker === null) callback();
    else this.#checker.afterFirstRound(callback);
  }

  pick(context: PickContext): UpstreamHost | null {
    const host = this.#pickHost(context);
    if (host === null) this.stats.upstream_cx_none_healthy.value += 1;
    return host;
  }

  open(host: UpstreamHost, request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream {
    const target = ownHost(host);
    const { autoSni, protocol } = this.settings;
    const pool =
      autoSni || protocol === 'downstream' || request.priority !== 'default' || target.transport.proxyVersion !== 0
        ? this.#poolFor(target, request)
        : (target.pool ??= this.#openPool(target, null, protocol, this.#pools.default));
    return pool.open(request, handler);
  }

  connect(
    host: UpstreamHost,
    info: StreamInfo | null,
    reader: SharedReader | null,
    handler: ConnectHandler,
  ): { abort(): void } {
    const target = ownHost(host);
    const { stats } = this;
    if (!this.#breakers.default.connections.tryAcquire()) {
      stats.upstream_cx_overflow.value += 1;
      process.nextTick(() => handler.onFailure('overflow', 'overflow'));
      return { abort: () => undefined };
    }
    stats.upstream_cx_total.value += 1;
    target.counts.cxTotal += 1;
    const startMs = this.#clock.monotonicMs();
    const opening = { serverName: null, alpn: [], before: proxyHeaderFor(target.transport, info), reader };
    const dialing = dial(target, target.transport, opening, this.settings.pool, this.#clock, {
      onReady: (socket, facts) => {
        stats.upstream_cx_connect_ms.record(this.#clock.monotonicMs() - startMs);
        this.#outliers?.report(target, CONNECTED);
        // A raw connection counts as a request, too (Envoy).
        stats.upstream_rq_total.value += 1;
        target.counts.rqTotal += 1;
        this.#countSocket(target, socket);
        handler.onConnected(socket, facts);
      },
      onFailure: (failure, detail) => {
        this.#breakers.default.connections.release();
        target.counts.cxConnectFail += 1;
        stats.upstream_cx_connect_fail.value += 1;
        stats.upstream_rq_pending_failure_eject.value += 1;
        if (failure === 'connect-timeout') stats.upstream_cx_connect_timeout.value += 1;
        this.#outliers?.report(target, { kind: failure === 'connect-timeout' ? 'timeout' : 'unreachable' });
        handler.onFailure(failure, detail);
      },
    });
    let isAborted = false;
    return {
      abort: () => {
        if (isAborted) return;
        isAborted = true;
        if (dialing.abort()) this.#breakers.default.connections.release();
      },
    };
  }

  tryAcquireRetry(priority: RoutingPriority): boolean {
    const { stats } = this;
    if (!this.#breakers[priority].tryAcquireRetry()) {
      stats.upstream_rq_retry_overflow.value += 1;
      return false;
    }
    stats.upstream_rq_retry.value += 1;
    return true;
  }

  releaseRetry(priority: RoutingPriority): void {
    this.#breakers[priority].releaseRetry();
  }

  reportOutcome(host: UpstreamHost, outcome: HostOutcome): void {
    const target = ownHost(host);
    if (outcome.kind === 'answer' && outcome.status < 500) target.counts.rqSuccess += 1;
    else if (outcome.kind !== 'connected') target.counts.rqError += 1;
    this.#outliers?.report(target, outcome);
  }

  countResponse(status: number, isRetried: boolean): void {
    if (isRetried) this.stats.countRetriedStatus(status);
    else this.stats.countStatus(status);
  }

  countEvent(event: UpstreamEvent): void {
    this.stats[EVENT_COUNTERS[event]].value += 1;
  }

  /** Replaced or removed: idle connections close now, those in use when their request ends. */
  drain(): void {
    this.#outliers?.close();
    this.#checker?.close();
    this.#originalDestinations?.close();
    const hosts = [...this.hosts()];
    this.dynamicHosts?.close();
    for (const transport of this.#transports) transport.close();
    for (const host of hosts) host.drain();
  }

  /** Breaks every connection. */
  destroy(): void {
    const hosts = [...this.hosts()];
    this.drain();
    for (const host of hosts) host.destroy();
  }

  #pickHost(context: PickContext): Host | null {
    const { random, avoid, avoidAttempts, avoidPrioritiesOf, metadataMatch, hash, originalDestination } = context;
    if (this.dynamicHosts !== null) return this.dynamicHosts.hostFor(context.authority);
    if (this.#originalDestinations !== null) return this.#originalDestinations.hostFor(originalDestination);
    const excluded = avoidPrioritiesOf === null ? null : this.#endpoints.prioritiesOf(avoidPrioritiesOf);
    let host = this.#endpoints.pick(random, hash, excluded, metadataMatch);
    if (avoid === null) return host;
    const attempts = avoidAttempts > 1 ? avoidAttempts * MORE_ATTEMPTS : 1;
    for (let attempt = 1; attempt < attempts && host !== null && avoid.has(host); attempt++) {
      // The same hash would give the same host again.
      host = this.#endpoints.pick(random, null, excluded, metadataMatch);
    }
    return host;
  }

  /** The pool of what this request differs in: SNI (its authority), its client's protocol and address, its priority. */
  #poolFor(host: Host, request: UpstreamRequest): RequestPool {
    const { autoSni, protocol } = this.settings;
    const name = autoSni ? hostWithoutPort(request.authority) : '';
    const serverName = isIP(name) === 0 ? name : '';
    const choice = protocol === 'downstream' ? (request.isHttp2 ? 'http2' : 'http1') : protocol;
    const before = proxyHeaderFor(host.transport, request.info);
    const key = `${request.priority} ${choice} ${serverName} ${before?.toString('latin1') ?? ''}`;
    host.poolsByKey ??= new Map();
    let pool = host.poolsByKey.get(key);
    if (pool === undefined) {
      const context = this.#pools[request.priority];
      // Clients come and go: the pool of one goes with its last connection.
      const own = before === null ? context : { ...context, before, onEmpty: () => host.poolsByKey?.delete(key) };
      pool = this.#openPool(host, serverName === '' ? null : serverName, choice, own);
      host.poolsByKey.set(key, pool);
    }
    return pool;
  }

  #openPool(host: Host, serverName: string | null, protocol: ProtocolChoice, context: PoolContext): RequestPool {
    const { http2 } = this.settings;
    switch (protocol) {
      case 'http2':
        return new PoolH2(host, context, serverName, http2);
      case 'auto':
        return new PoolAuto(host, context, serverName, http2);
      default:
        return new PoolH1(host, context, serverName);
    }
  }

  #countSocket(host: Host, socket: Socket): void {
    const { stats } = this;
    stats.upstream_cx_active.value += 1;
    host.counts.cxActive += 1;
    host.activeRequests += 1;
    socket.once('close', () => {
      stats.upstream_cx_active.value -= 1;
      stats.upstream_cx_destroy.value += 1;
      stats.upstream_cx_rx_bytes_total.value += socket.bytesRead;
      stats.upstream_cx_tx_bytes_total.value += socket.bytesWritten;
      host.counts.cxActive -= 1;
      host.activeRequests -= 1;
      this.#breakers.default.connections.release();
    });
  }

  #transportChanged(transport: Transport): void {
    for (const host of this.hosts()) if (host.transport === transport) host.drainStale();
  }
}

/** Hosts come back from where `pick` gave them out; the contract's type says less. */
function ownHost(host: UpstreamHost): Host {
  return host as Host;
}
