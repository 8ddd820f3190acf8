import { HeaderList } from '@flotilla/http-codec';
import { type Clock, FlotillaError, type Random, limit } from '@flotilla/runtime';
import { FrameReader, frameOf } from '../protocol/grpc/frames.ts';
import { localAddress } from '../base/local-address.ts';
import {
  PLAIN_PICK,
  type ClusterManager,
  type UpstreamCluster,
  type UpstreamFailure,
  type UpstreamHandler,
  type UpstreamStream,
} from '../ports/cluster-manager.ts';

/** gRPC status codes that a call can end with on this side. */
const Status = { ok: 0, unknown: 2, deadlineExceeded: 4, resourceExhausted: 8, internal: 13, unavailable: 14 } as const;

/** How a call ended: a message with status 0, else a status other than 0 and what it says. */
export type GrpcOutcome =
  | { readonly status: 0; readonly message: Buffer }
  | { readonly status: number; readonly message: null; readonly detail: string };

/** Where and how a gRPC service is called. */
export interface GrpcTarget {
  /** Of the mesh: its load balancing, TLS, limits and statistics apply. */
  readonly cluster: string;
  /** Empty: the cluster's name. */
  readonly authority: string;
  /** Of one message of the answer; the proxy's own limit holds as well. Infinity: that one alone. */
  readonly maxMessageBytes: number;
  /** Whether a call says that it comes from within, and from which address (`x-envoy-internal`, `x-forwarded-for`). */
  readonly sendsEnvoyHeaders: boolean;
  /** Fields sent with each call. */
  readonly metadata: readonly (readonly [string, string])[];
  /** 0: no limit. */
  readonly timeoutMs: number;
}

/** What a call needs of the proxy. */
export interface GrpcCaller {
  readonly clusters: ClusterManager;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Makes a unary call (gRPC over HTTP/2) through a cluster. `done` is called once, not before this returns; never after
 * `cancel`.
 */
export function callUnary(
  caller: GrpcCaller,
  target: GrpcTarget,
  path: string,
  message: Uint8Array,
  done: (outcome: GrpcOutcome) => void,
): { cancel(): void } {
  const call = new Call(done, null);
  call.begin(caller, target, path);
  call.send(message);
  call.end();
  return call;
}

/** The sending side of a call with many messages, of which only the last answer counts. */
export interface GrpcSending {
  /** False: there was nobody to send to, and messages are lost. */
  readonly isOpen: boolean;
  /** False: wait for `onDrain`. */
  send(message: Uint8Array): boolean;
  /** Nothing more is sent; the outcome follows. */
  end(): void;
  cancel(): void;
}

/** Opens a call to which messages are sent over time. Of its callbacks none comes before this returns. */
export function openSending(
  caller: GrpcCaller,
  target: GrpcTarget,
  path: string,
  done: (outcome: GrpcOutcome) => void,
  onDrain: () => void,
): GrpcSending {
  const call = new Call(done, onDrain);
  call.begin(caller, target, path);
  return call;
}

class Call implements UpstreamHandler, GrpcSending {
  #done: ((outcome: GrpcOutcome) => void) | null;
  readonly #onDrain: (() => void) | null;
  #cluster: UpstreamCluster | null = null;
  #stream: UpstreamStream | null = null;
  #stopTimer: (() => void) | null = null;
  #httpStatus = 0;
  #headers: HeaderList | null = null;
  readonly #reader = new FrameReader();
  #message: Buffer | null = null;
  #isCompressed = false;
  #maxMessageBytes = MAX_MESSAGE_BYTES;

  constructor(done: (outcome: GrpcOutcome) => void, onDrain: (() => void) | null) {
    this.#done = done;
    this.#onDrain = onDrain;
  }

  begin({ clusters, clock, random }: GrpcCaller, target: GrpcTarget, path: string): void {
    const cluster = clusters.get(target.cluster);
    if (cluster === null) return this.#failLater(`cluster "${target.cluster}" does not exist`);
    this.#cluster = cluster;
    const host = cluster.pick({
      ...PLAIN_PICK,
      random,
    });
    if (host === null) return this.#failLater(`cluster "${target.cluster}" has no healthy host`);
    // As Envoy's own calls, which come from within the mesh.
    const headers = HeaderList.of({
      te: 'trailers',
      'content-type': 'application/grpc',
      ...(target.sendsEnvoyHeaders ? { 'x-envoy-internal': 'true', 'x-forwarded-for': localAddress() } : {}),
    });
    this.#maxMessageBytes = Math.min(target.maxMessageBytes, MAX_MESSAGE_BYTES);
    if (target.timeoutMs > 0) {
      headers.append('grpc-timeout', `${target.timeoutMs}m`);
      headers.append('x-envoy-expected-rq-timeout-ms', String(target.timeoutMs));
      const timer = clock.after(target.timeoutMs, () => this.#fail(Status.deadlineExceeded, 'deadline exceeded'));
      this.#stopTimer = () => timer.cancel();
    }
    for (const [name, value] of target.metadata) headers.append(name, value);
    this.#stream = cluster.open(
      host,
      {
        method: 'POST',
        path,
        authority: target.authority || target.cluster,
        headers,
        body: 'chunked',
        upgrade: null,
        scheme: 'http',
        isHttp2: true,
        priority: 'default',
        info: null,
      },
      this,
    );
  }

  get isOpen(): boolean {
    return this.#stream !== null;
  }

  send(message: Uint8Array): boolean {
    return this.#stream?.write(frameOf(message)) ?? false;
  }

  end(): void {
    this.#stream?.end(null);
  }

  cancel(): void {
    this.#done = null;
    this.#stopTimer?.();
    this.#stream?.abort();
  }

  onConnected(): void {
    // Nothing depends on it.
  }

  onInformational(): void {
    // gRPC has none.
  }

  onHead(status: number, headers: HeaderList): void {
    this.#cluster?.countResponse(status, false);
    this.#httpStatus = status;
    this.#headers = headers;
  }

  onData(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (frame.message.length > this.#maxMessageBytes) return this.#fail(Status.resourceExhausted, TOO_LARGE);
        this.#message = frame.message;
        this.#isCompressed ||= frame.isCompressed;
      }
    } catch (error) {
      return this.#fail(Status.internal, FlotillaError.from(error, 'invalid').message);
    }
    if (this.#reader.pendingBytes > this.#maxMessageBytes) this.#fail(Status.resourceExhausted, TOO_LARGE);
  }

  onEnd(trailers: HeaderList | null): void {
    this.#stream = null;
    if (this.#httpStatus !== 200) return this.#fail(Status.unavailable, `HTTP status ${this.#httpStatus}`);
    const from = trailers?.has('grpc-status') === true ? trailers : this.#headers;
    const status = Number(from?.get('grpc-status') ?? Status.unknown);
    if (status !== Status.ok) return this.#fail(status, from?.get('grpc-message') ?? '');
    if (this.#message === null || this.#isCompressed) return this.#fail(Status.internal, 'the answer cannot be read');
    this.#finish({ status: 0, message: this.#message });
  }

  onFailure(failure: UpstreamFailure, detail: string): void {
    this.#fail(Status.unavailable, detail === '' ? failure : `${failure}: ${detail}`);
  }

  onDrain(): void {
    // One message alone is written at once.
    this.#onDrain?.();
  }

  #failLater(detail: string): void {
    queueMicrotask(() => this.#fail(Status.unavailable, detail));
  }

  #fail(status: number, detail: string): void {
    this.#stream?.abort();
    this.#finish({ status: status === 0 ? Status.unknown : status, message: null, detail });
  }

  #finish(outcome: GrpcOutcome): void {
    const done = this.#done;
    this.#done = null;
    this.#stopTimer?.();
    done?.(outcome);
  }
}

const TOO_LARGE = 'the answer is too large';
const MAX_MESSAGE_BYTES = limit({
  name: 'proxy.grpc-message-bytes',
  what: 'one message of a service that the proxy calls (xDS, access log, rate limit, authorization)',
  default: 4 * 1024 * 1024,
  unit: 'bytes',
  setting: '`max_receive_message_length`, for less',
  past: 'the call fails with RESOURCE_EXHAUSTED',
});
