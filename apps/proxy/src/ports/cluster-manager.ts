import type { Socket } from 'node:net';
import type { HeaderList } from '@flotilla/http-codec';
import type { DestinationService, FilterMetadata, TriedHost, StreamInfo } from '@flotilla/stream';
import type { SharedReader } from '../sockets/shared-reader.ts';
import type { MetadataMatch, RoutingPriority } from '@flotilla/route';
import type { UpstreamConnectionFacts } from './upstream-connection-facts.ts';

/**
 * The contract between the HTTP router (and the TCP proxy) and the upstream side. One verb each: `open` for
 * HTTP, `connect` for TCP. Callbacks and a controller, no promise and no stream object per chunk.
 */
export interface ClusterManager {
  /** Null when there is no such cluster (Envoy: 503 NC). */
  get(name: string): UpstreamCluster | null;
}

export interface UpstreamCluster {
  readonly name: string;
  readonly destinationService: DestinationService | null;
  readonly metadata: FilterMetadata | null;
  /** Of one request's stream; 0: no limit. */
  readonly maxStreamDurationMs: number;
  /** Hosts that requests name themselves; null: the cluster has its own. */
  readonly dynamicHosts: HostResolver | null;
  /** Chooses a host, synchronously; null when there is none that may be used (Envoy: 503 UH). */
  pick(context: PickContext): UpstreamHost | null;
  /**
   * Sends an HTTP request to a host. Failures come to `handler.onFailure`, never as a throw. Of all callbacks
   * only `onConnected` may come before `open` returns (a connection was waiting).
   */
  open(host: UpstreamHost, request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream;
  /**
   * Opens a raw connection (TLS and PROXY header included when the cluster says so) for the stream `info`. `reader`
   * takes what comes on it; null: the socket has its `data` events.
   */
  connect(
    host: UpstreamHost,
    info: StreamInfo | null,
    reader: SharedReader | null,
    handler: ConnectHandler,
  ): { abort(): void };
  /** Whether one more retry fits the circuit breaker (`max_retries`); pair with `releaseRetry`. */
  tryAcquireRetry(priority: RoutingPriority): boolean;
  releaseRetry(priority: RoutingPriority): void;
  /** Counts what was seen of a host, for its statistics and for outlier detection. */
  reportOutcome(host: UpstreamHost, outcome: HostOutcome): void;
  /**
   * Counts a response: the one that the client gets (also one that the proxy made because the upstream gave none), or
   * one that was thrown away for another try.
   */
  countResponse(status: number, isRetried: boolean): void;
  countEvent(event: UpstreamEvent): void;
}

/** What was seen of a host: an answer, or whether it could be reached. */
export type HostOutcome =
  { readonly kind: 'answer'; readonly status: number } | { readonly kind: 'connected' | 'unreachable' | 'timeout' };

/** Whether a request may go on: at once, when `done` is called, or not at all. */
export type Resolution = 'known' | 'pending' | 'overflow';

/** Hosts that requests name themselves. */
export interface HostResolver {
  /** `done` is called once, later, when this returns `pending`. */
  resolve(authority: string, done: () => void): Resolution;
  /** The host of an authority that was resolved; null when there is none. */
  hostFor(authority: string | null): UpstreamHost | null;
  /** Why an authority has no host; empty when nobody knows. */
  failureOf(authority: string): string;
}

/** What a router did with requests to a cluster, for its statistics. */
export type UpstreamEvent =
  | 'retry-success'
  | 'retry-limit-exceeded'
  | 'backoff-exponential'
  | 'backoff-ratelimited'
  | 'timeout'
  | 'per-try-timeout'
  | 'per-try-idle-timeout'
  | 'max-duration'
  | 'connect-attempts-exceeded';

export interface PickContext {
  /** In [0,1). */
  readonly random: () => number;
  /** Hosts not to choose again, as far as others are left; null for none. */
  readonly avoid: ReadonlySet<UpstreamHost> | null;
  /** How many picks to try before an avoided host is accepted. */
  readonly avoidAttempts: number;
  /** Hosts whose priorities are left out, as far as others can serve; null: none are. */
  readonly avoidPrioritiesOf: readonly UpstreamHost[] | null;
  /** Of the request, for clusters with subsets; null: it asks for none. */
  readonly metadataMatch: MetadataMatch | null;
  /** Of the request, for balancers that go by it; null: it has none. */
  readonly hash: bigint | null;
  /** Of the request, for clusters whose hosts requests name; null: the cluster's hosts are its own. */
  readonly authority: string | null;
  /** Where the client wanted to go, for ORIGINAL_DST clusters; null when it is not known. */
  readonly originalDestination: { readonly host: string; readonly port: number } | null;
}

/** A choice that goes by nothing. */
export const PLAIN_PICK: Omit<PickContext, 'random'> = {
  avoid: null,
  avoidAttempts: 0,
  avoidPrioritiesOf: null,
  metadataMatch: null,
  authority: null,
  hash: null,
  originalDestination: null,
};

/** One endpoint of a cluster. The object's identity is kept across updates that do not change the address. */
export interface UpstreamHost extends TriedHost {
  readonly host: string;
  readonly port: number;
  /** Name for `auto_host_rewrite`: the endpoint's hostname, or the DNS name it was resolved from; empty for none. */
  readonly hostname: string;
  readonly weight: number;
  /** Requests in flight, read by least request. */
  activeRequests: number;
}

export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  /** Goes out as `host`. */
  readonly authority: string;
  /** Without host, connection, transfer-encoding, content-length (framing is derived from `body`). Not changed by the callee. */
  readonly headers: HeaderList;
  /** `none`, a length in bytes, or `chunked`. */
  readonly body: 'none' | 'chunked' | number;
  /**
   * `upgrade` value for a protocol switch (WebSocket), null otherwise. After `onHead(101)` (whose headers hold
   * `upgrade`) bytes go both ways as they are, through `write`, `end` and `onData`, `onEnd`. So they do after a
   * 2xx to CONNECT, whose target is the authority.
   */
  readonly upgrade: string | null;
  /** `http` or `https`, as the client asked for it. */
  readonly scheme: string;
  /** The client speaks HTTP/2, for clusters that go by that. */
  readonly isHttp2: boolean;
  readonly priority: RoutingPriority;
  /** Filled with upstream addresses, certificate and times. Null for mirrored requests. */
  readonly info: StreamInfo | null;
}

/** Why an attempt ended without a whole response. */
export type UpstreamFailure =
  | 'connect-failure'
  | 'connect-timeout'
  /** The connection ended without a byte of an answer, and the request may be sent again: by its method, or it went nowhere. */
  | 'reset-before-request'
  | 'reset'
  /** The upstream reset this request's stream alone (HTTP/2). */
  | 'remote-reset'
  /** As `remote-reset`, and the upstream has not begun with the request: it may be sent again. */
  | 'refused-stream'
  | 'protocol-error'
  /** A circuit breaker refused. */
  | 'overflow';

/** Events of one attempt, in order: connected?, informational*, head, data*, end | failure. */
export interface UpstreamHandler {
  /** It has done with the bytes of `onData` when that returns. Absent: it may keep them. */
  readonly borrowsData?: boolean;
  /** The request starts going out; from now on the failure is not a connect failure. */
  onConnected(): void;
  onInformational(status: number, headers: HeaderList): void;
  /** `hasBody` false: `onEnd` follows at once. */
  onHead(status: number, headers: HeaderList, hasBody: boolean): void;
  onData(chunk: Buffer): void;
  onEnd(trailers: HeaderList | null): void;
  /** Terminal. `detail` is for `%UPSTREAM_TRANSPORT_FAILURE_REASON%` and the reply's body. */
  onFailure(failure: UpstreamFailure, detail: string): void;
  /** `write` returned false before and may go on now. */
  onDrain(): void;
}

/** Controls one attempt. Calls after its end are no-ops. */
export interface UpstreamStream {
  /** False: wait for `onDrain`. Chunks written before the connection is there are buffered (bounded by the caller obeying this). */
  write(chunk: Buffer): boolean;
  /** Not needed for a request without a body. In a tunnel it ends our half. */
  end(trailers: HeaderList | null): void;
  /** Back-pressure from the client: stop and go on delivering `onData`. */
  pause(): void;
  resume(): void;
  /** Gives the attempt up; no further event comes. */
  abort(): void;
}

export interface ConnectHandler {
  /** The socket is ready, TLS done; it belongs to the callee from now on. It is paused. */
  onConnected(socket: Socket, facts: UpstreamConnectionFacts): void;
  onFailure(failure: UpstreamFailure, detail: string): void;
}
