import type { HeaderCase, ParserLimits } from '@flotilla/http-codec';
import type { LocalReplyMapping } from './local-reply-mapping.ts';
import type { ProxyContext } from '../ports/context.ts';
import type { AccessLog } from '@flotilla/stream';
import type { Counter, Gauge, Histogram } from '../base/stats.ts';
import type { ClientCertSettings } from './client-cert-header.ts';
import type { Http2Settings } from '../protocol/http2/settings.ts';
import type { FilterChainPlans } from './filter-plan.ts';
import type { RouterSettings } from './filters/router.ts';
import type { RouteTable } from '@flotilla/route';

/** How a path is put into one form before it is matched. */
export interface PathSettings {
  readonly normalize: boolean;
  readonly mergeSlashes: boolean;
  /** `%2F` and `%5C` in paths. */
  readonly escapedSlashes: 'keep' | 'reject' | 'unescape' | 'redirect';
}

/** How the client's address and scheme are found out and told onwards. */
export interface EdgeSettings {
  readonly useRemoteAddress: boolean;
  readonly xffTrustedHops: number;
  readonly skipXffAppend: boolean;
  readonly appendForwardedPort: boolean;
  /** Addresses of clients that count as internal. */
  readonly isInternalAddress: (address: string) => boolean;
  /** Empty: none. */
  readonly via: string;
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  readonly alwaysSetRequestIdInResponse: boolean;
  readonly schemeToOverwrite: string | null;
}

/** An HTTP connection manager, compiled: what every connection and exchange of it reads. */
export interface ManagerSettings {
  readonly ctx: ProxyContext;
  /** The present route table; null while it has not arrived. */
  readonly routes: () => RouteTable | null;
  readonly plans: FilterChainPlans;
  readonly router: RouterSettings;
  readonly records: readonly AccessLog[];
  readonly edge: EdgeSettings;
  readonly paths: PathSettings;
  readonly clientCert: ClientCertSettings;
  readonly server: { readonly name: string; readonly mode: 'overwrite' | 'append-if-absent' | 'pass-through' };
  /** Upgrade types that are let through, lower-case. */
  readonly upgrades: ReadonlySet<string>;
  /** How answers of the proxy itself are worded; null: as they are. */
  readonly localReplies: LocalReplyMapping | null;
  readonly headerCase: HeaderCase;
  readonly stripPort: 'none' | 'matching' | 'any';
  readonly stripTrailingDot: boolean;
  readonly underscores: 'allow' | 'reject' | 'drop';
  /** `auto`: by ALPN, else by the first bytes. */
  readonly codec: 'auto' | 'http1' | 'http2';
  readonly http2: Http2Settings;
  readonly limits: ParserLimits;
  readonly acceptHttp10: boolean;
  /** 100 Continue comes from the upstream, which is told what the client expects. */
  readonly proxiesContinue: boolean;
  readonly defaultHostForHttp10: string;
  readonly forwardsTrailers: boolean;
  readonly allowsAnyMethod: boolean;
  /** All in milliseconds; 0: no limit. */
  readonly idleTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  readonly maxStreamDurationMs: number;
  readonly delayedCloseTimeoutMs: number;
  /** Between the warning that an HTTP/2 connection ends and its end. */
  readonly drainTimeoutMs: number;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  /** Bytes of a request body that are kept for retries and mirrors. */
  readonly bufferLimitBytes: number;
  readonly stats: ManagerStats;
}

export interface ManagerStats {
  readonly connections: Counter;
  readonly activeConnections: Gauge;
  readonly protocolErrors: Counter;
  readonly requests: Counter;
  readonly activeRequests: Gauge;
  /** By hundreds of the status: index 1 is 1xx. */
  readonly responses: readonly Counter[];
  readonly completed: Counter;
  readonly time: Histogram;
  readonly resets: Counter;
  readonly idleTimeouts: Counter;
  readonly requestTimeouts: Counter;
  readonly durationTimeouts: Counter;
  /** Of connections. */
  readonly connectionIdleTimeouts: Counter;
  readonly durationReached: Counter;
  readonly requestsReached: Counter;
  readonly noRoute: Counter;
  readonly noCluster: Counter;
  /** Redirects, too, as in Envoy. */
  readonly directResponses: Counter;
  /** Requests that a route sends to a cluster, redirects or answers, or that no route takes. */
  readonly routed: Counter;
}

export function managerStats({ stats }: ProxyContext, statPrefix: string): ManagerStats {
  const prefix = `http.${statPrefix}.`;
  return {
    connections: stats.counter(`${prefix}downstream_cx_total`),
    activeConnections: stats.gauge(`${prefix}downstream_cx_active`),
    protocolErrors: stats.counter(`${prefix}downstream_cx_protocol_error`),
    requests: stats.counter(`${prefix}downstream_rq_total`),
    activeRequests: stats.gauge(`${prefix}downstream_rq_active`),
    responses: ['1xx', '2xx', '3xx', '4xx', '5xx'].map((name) => stats.counter(`${prefix}downstream_rq_${name}`)),
    completed: stats.counter(`${prefix}downstream_rq_completed`),
    time: stats.histogram(`${prefix}downstream_rq_time`),
    resets: stats.counter(`${prefix}downstream_rq_rx_reset`),
    idleTimeouts: stats.counter(`${prefix}downstream_rq_idle_timeout`),
    connectionIdleTimeouts: stats.counter(`${prefix}downstream_cx_idle_timeout`),
    durationReached: stats.counter(`${prefix}downstream_cx_max_duration_reached`),
    requestsReached: stats.counter(`${prefix}downstream_cx_max_requests_reached`),
    durationTimeouts: stats.counter(`${prefix}downstream_rq_max_duration_reached`),
    requestTimeouts: stats.counter(`${prefix}downstream_rq_timeout`),
    noRoute: stats.counter(`${prefix}no_route`),
    noCluster: stats.counter(`${prefix}no_cluster`),
    directResponses: stats.counter(`${prefix}rq_direct_response`),
    routed: stats.counter(`${prefix}rq_total`),
  };
}

/** Counts a response when its head is sent, as Envoy does: what becomes of the rest is told by other counters. */
export function countResponse(stats: ManagerStats, status: number): void {
  stats.completed.value += 1;
  const family = stats.responses[Math.floor(status / 100) - 1];
  if (family !== undefined) family.value += 1;
}
