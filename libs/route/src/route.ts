import type { HeaderEdits } from '@flotilla/format';
import type { JsonObject } from '@bufbuild/protobuf';
import type { HeaderList } from '@flotilla/http-codec';
import type { MetadataMatch } from './metadata-match.ts';
import type { RateLimitRule } from './rate-limit-actions.ts';
import type { RoutableRequest } from './routable-request.ts';
import type { StreamInfo } from '@flotilla/stream';

/** Which limits of a cluster a request falls under, and which connections it may use. */
export type RoutingPriority = 'default' | 'high';

/** A `RouteConfiguration`, compiled. Immutable: a request keeps the table that it began with. */
export interface RouteTable {
  readonly name: string;
  /** Finds the first matching route in Envoy's order, or null. `random` in [0,1) decides runtime fractions. */
  match(request: RoutableRequest, random: number): Route | null;
  /** As `match`, and why: in the virtual host that its authority leads to. */
  explain(request: RoutableRequest, random: number): RouteExplanation;
  /** Every cluster that a route of this table can choose; warming waits for them. */
  readonly clusterNames: ReadonlySet<string>;
  /** Headers that only internal clients may send. */
  readonly internalOnlyHeaders: readonly string[];
}

/** A route that does not take a request. */
export interface PassedOver {
  /** Its place among the routes of its virtual host. */
  readonly index: number;
  /** Empty: it has none. */
  readonly name: string;
  readonly why: string;
}

/** Which route of a virtual host takes a request, and which before it do not. */
export interface RouteAnswer {
  /** Null: none does. */
  readonly route: Route | null;
  readonly passedOver: readonly PassedOver[];
}

export interface RouteExplanation extends RouteAnswer {
  /** Null: no domain fits the authority. */
  readonly virtualHost: string | null;
}

export interface Route extends HeaderEdits {
  readonly name: string;
  readonly virtualHostName: string;
  /** `filter_metadata` by namespace; null for none. */
  readonly metadata: Readonly<Record<string, JsonObject>> | null;
  readonly action: ForwardAction | RedirectAction | DirectAction;
  /** Compiled `typed_per_filter_config` by filter name, the most specific of route, virtual host and table. */
  readonly perFilter: ReadonlyMap<string, unknown>;
  /** What limits are asked for; null: the route and its virtual host name none. */
  readonly rateLimits: RouteRateLimits | null;
  /** Send `x-envoy-attempt-count` upstream (virtual host's `include_request_attempt_count`). */
  readonly attemptCountInRequest: boolean;
  /** Send `x-envoy-attempt-count` downstream. */
  readonly attemptCountInResponse: boolean;
}

/** `rate_limits` of a route and of its virtual host. */
export interface RouteRateLimits {
  readonly own: readonly RateLimitRule[];
  readonly host: readonly RateLimitRule[];
  /** The route asks for the host's rules beside its own. */
  readonly includesHost: boolean;
}

export interface RedirectAction {
  readonly kind: 'redirect';
  readonly status: number;
  location(request: RoutableRequest): string;
}

export interface DirectAction {
  readonly kind: 'direct';
  readonly status: number;
  readonly body: Uint8Array | null;
}

export interface ForwardAction {
  readonly kind: 'forward';
  /** Chooses among weighted clusters (or gives the only one). `random` in [0,1). */
  pick(request: RoutableRequest, random: number): ClusterChoice;
  /** Rewrites path and authority in place; null where nothing is rewritten. */
  readonly rewrite: ((request: RoutableRequest) => void) | null;
  /** The router sets the authority to the chosen host's `hostname`, when it has one. */
  readonly autoHostRewrite: boolean;
  /** 0: no limit. */
  readonly timeoutMs: number;
  /** 0: no limit; null: the connection manager's. */
  readonly idleTimeoutMs: number | null;
  /** 0: no limit; null: the connection manager's. */
  readonly maxStreamDurationMs: number | null;
  /** What a client's `grpc-timeout` decides; null: nothing. */
  readonly grpcTimeout: GrpcTimeoutRule | null;
  /** The request's hash by the route's `hash_policy`; null where the route has none. */
  readonly hash: ((request: RoutableRequest, info: StreamInfo) => bigint | null) | null;
  readonly priority: RoutingPriority;
  readonly retry: RetryPolicy | null;
  readonly hedges: boolean;
  /** By type in lower case: whether such an upgrade is let through here; others as the connection manager says. */
  readonly upgrades: ReadonlyMap<string, boolean>;
  /** CONNECT ends here: what it carries goes to the upstream as it is. */
  readonly terminatesConnect: boolean;
  readonly mirrors: readonly MirrorPolicy[];
  /** Status when the chosen cluster is not known (503 unless configured). */
  readonly clusterNotFoundStatus: number;
}

export interface GrpcTimeoutRule {
  /** It bounds the whole stream (`max_stream_duration`), or the time until the response is whole (`max_grpc_timeout`). */
  readonly bounds: 'stream' | 'response';
  /** 0: whatever the client says. */
  readonly maxMs: number;
  /** Taken off, so that the proxy gives up before the client does. */
  readonly offsetMs: number;
}

/** The edits of a weighted cluster are run before the route's own, for requests and responses alike, as Envoy does. */
export interface ClusterChoice extends HeaderEdits {
  readonly cluster: string;
  /** Complete (weighted cluster over route, virtual host and table); null: the route's. */
  readonly perFilter: ReadonlyMap<string, unknown> | null;
  /** Authority rewrite of this weighted cluster, null for none. */
  readonly authority: string | null;
  /** Complete (weighted cluster over route); null: any host. */
  readonly metadataMatch: MetadataMatch | null;
}

export interface MirrorPolicy {
  /** Empty: the request names it in `clusterHeader`. */
  readonly cluster: string;
  readonly clusterHeader: string;
  /** Probability in [0,1]. */
  readonly fraction: number;
  /** Append `-shadow` to the authority, Envoy's default. */
  readonly appendShadowSuffix: boolean;
}

export interface RetryPolicy {
  /** Retries after the first try. */
  readonly attempts: number;
  readonly on: RetryOn;
  /** Requests that may be tried again at all; null: any. */
  readonly isFor: ((headers: HeaderList) => boolean) | null;
  /** 0: the route's timeout only. */
  readonly perTryTimeoutMs: number;
  /** 0: no limit. */
  readonly perTryIdleTimeoutMs: number;
  readonly baseIntervalMs: number;
  readonly maxIntervalMs: number;
  /** Avoid hosts that were tried already (`envoy.retry_host_predicates.previous_hosts`). */
  readonly avoidPreviousHosts: boolean;
  /** After this many tries, and so many more, the priorities tried so far are left out; 0: never. */
  readonly avoidPrioritiesEvery: number;
  readonly hostSelectionAttempts: number;
  /** Response headers that say when to try again, the first usable counts. */
  readonly resetHeaders: readonly ResetHeader[];
  /** A longer wait than this is not taken from those. */
  readonly maxResetIntervalMs: number;
}

export interface ResetHeader {
  readonly name: string;
  /** `seconds` from now, or a time in `unix-seconds`. */
  readonly format: 'seconds' | 'unix-seconds';
}

/** The words of `retry_on`, one assertion each (Envoy: x-envoy-retry-on and x-envoy-retry-grpc-on). */
export interface RetryOn {
  readonly fiveXx: boolean;
  readonly gatewayError: boolean;
  readonly reset: boolean;
  readonly resetBeforeRequest: boolean;
  readonly resetIdempotent: boolean;
  readonly connectFailure: boolean;
  readonly refusedStream: boolean;
  readonly retriable4xx: boolean;
  readonly envoyRatelimited: boolean;
  /** Empty unless `retriable-status-codes` is on. */
  readonly statusCodes: ReadonlySet<number>;
  /** Response headers that ask for a retry; empty unless `retriable-headers` is on. */
  readonly matchesRetriableHeaders: ((headers: HeaderList) => boolean) | null;
  /** gRPC status codes (in response headers) that are retried. */
  readonly grpcStatuses: ReadonlySet<number>;
}
