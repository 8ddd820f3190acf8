import type { Message } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { Transport } from '@connectrpc/connect';
import { Backoff, type Clock, FlotillaError, type Random, type Timer } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { Node } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { HEALTH_TYPE_URL, shortNameOf, type XdsShortName } from '@flotilla/xds';
import { PushableIterable } from '../base/pushable.ts';
import type { GrpcConnection } from './grpc-cluster.ts';
import type { GrpcCluster } from '../ports/grpc-cluster.ts';
import { prepareCel } from '../observe/prepare-cel.ts';
import { createLifetimes } from './lifetimes.ts';
import type { StatsRegistry } from '../base/stats.ts';

/** One resource of a response. */
export interface DiscoveredResource {
  readonly name: string;
  readonly version: string;
  readonly resource: Any | null;
  /** How long it may be used without hearing of it again; null: for good (xDS protocol, "resource TTL"). */
  readonly ttlMs: number | null;
  /** It says only that the resource in use goes on: nothing else is in it. */
  readonly isHeartbeat: boolean;
}

/** What one response brought. */
export interface DiscoveryUpdate {
  readonly resources: readonly Pick<DiscoveredResource, 'name' | 'version' | 'resource'>[];
  readonly removed: readonly string[];
  /** Of the control plane's whole configuration; empty where it is not said. */
  readonly systemVersion: string;
}

/** A resource that was not taken, and why. */
export interface Refusal {
  /** Empty: the whole response. */
  readonly name: string;
  readonly reason: string;
}

/**
 * Takes a response into use: what can be used is used, the rest is named. The promise settles when the answer may
 * be given (a cluster update is acknowledged when its clusters are warm); later responses do not wait for it.
 */
export type ApplyUpdate = (update: DiscoveryUpdate) => Promise<readonly Refusal[]>;

/** Requests of either variant of the protocol. */
export type DiscoveryRequestMessage = Message & { node?: Node };

/**
 * A variant of the protocol: delta, or state of the world. It knows what is in use of each type, which survives a
 * stream and opens the next one.
 */
export interface Dialect<Q extends DiscoveryRequestMessage, R extends { readonly typeUrl: string }> {
  /** The node stands in every request, not in the first of a stream alone. */
  readonly repeatsNode: boolean;
  /** The encoded resources of a response. */
  contents(response: R): Iterable<Uint8Array>;
  call(transport: Transport, requests: AsyncIterable<Q>, signal: AbortSignal): AsyncIterable<R>;
  /** The first requests of a new stream. */
  open(): Q[];
  /** The request to send, null for none, as below. */
  subscribeAll(type: XdsShortName): Q | null;
  subscribe(type: XdsShortName, names: Iterable<string>): Q | null;
  read(
    type: XdsShortName,
    response: R,
  ): Omit<DiscoveryUpdate, 'resources'> & { readonly resources: readonly DiscoveredResource[] };
  /** The ACK, or the NACK where something was refused. */
  answer(type: XdsShortName, response: R, refusals: readonly Refusal[]): Q | null;
  /** Says that this proxy takes no more requests. */
  farewell(): Q;
  /** A resource is not in use any more. */
  forget(type: XdsShortName, name: string): void;
}

export interface DiscoveryStreamOptions {
  readonly cluster: GrpcCluster;
  readonly node: Node;
  readonly apply: Readonly<Partial<Record<XdsShortName, ApplyUpdate>>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly stats: StatsRegistry;
}

/** One aggregated stream, kept open: it reconnects with back-off and resumes with what is in use. */
export interface DiscoveryStream {
  /** Subscribes to everything of a type. */
  subscribeAll(type: XdsShortName): void;
  /** Sets the wanted names of a type. */
  subscribe(type: XdsShortName, names: Iterable<string>): void;
  isConnected(): boolean;
  /**
   * Tells the control plane that this proxy goes for good and was not just cut off. Resolves when it has heard, or after
   * a moment. What is in use stays in use.
   */
  leave(): Promise<void>;
  close(): void;
}

/** The request with which a proxy says good-bye; 14 is gRPC's UNAVAILABLE. */
export const FAREWELL = { typeUrl: HEALTH_TYPE_URL, errorDetail: { code: 14, message: 'the proxy is stopping' } };

const LEAVE_WITHIN_MS = 500;
const BACKOFF = { baseMs: 250, maxMs: 5_000 };
/** A stream that lived this long after its first answer was a success: the next one starts without back-off steps. */
const HEALTHY_AFTER_MS = 5_000;

export function openDiscoveryStream<Q extends DiscoveryRequestMessage, R extends { readonly typeUrl: string }>(
  dialect: Dialect<Q, R>,
  options: DiscoveryStreamOptions,
): DiscoveryStream {
  const { clock, logger, stats } = options;
  const connected = stats.gauge('control_plane.connected_state');
  const backoff = new Backoff(BACKOFF, options.random);
  const stop = new AbortController();
  const lifetimes = createLifetimes(clock, expire);
  let requests: PushableIterable<Q> | null = null;
  let isFirst = true;
  let isLeaving = false;
  let timer: Timer | null = null;

  function send(request: Q | null): void {
    if (requests === null || request === null) return;
    if (isFirst || dialect.repeatsNode) request.node = options.node;
    requests.push(request);
    isFirst = false;
  }

  async function run(): Promise<void> {
    let connection: GrpcConnection | null = null;
    let answeredMs = Number.POSITIVE_INFINITY;
    try {
      connection = await options.cluster.connect(stop.signal);
      const outgoing = new PushableIterable<Q>();
      requests = outgoing;
      isFirst = true;
      for (const request of dialect.open()) send(request);
      connected.value = 1;
      logger.info('connected to the control plane');
      for await (const response of dialect.call(connection.transport, outgoing, stop.signal)) {
        answeredMs = Math.min(answeredMs, clock.monotonicMs());
        await prepareCel(dialect.contents(response));
        receive(response, outgoing);
      }
      throw new FlotillaError('unavailable', 'the control plane ended the stream');
    } catch (error) {
      if (stop.signal.aborted || isLeaving) return;
      if (clock.monotonicMs() - answeredMs > HEALTHY_AFTER_MS) backoff.reset();
      const delayMs = backoff.nextMs();
      logger.warn('no stream to the control plane; the configuration in force stays', {
        reason: FlotillaError.from(error).message,
        retryInMs: Math.round(delayMs),
      });
      timer = clock.after(delayMs, () => (running = run()), { keepAlive: true });
    } finally {
      requests?.end();
      requests = null;
      connected.value = 0;
      connection?.close();
    }
  }

  function receive(response: R, stream: PushableIterable<Q>): void {
    const type = shortNameOf(response.typeUrl);
    const apply = type === null ? undefined : options.apply[type];
    if (type === null || apply === undefined) {
      logger.warn('the control plane sent a type that was not asked for', { typeUrl: response.typeUrl });
      return;
    }
    take(type, apply, response)
      .catch((error: unknown) => [{ name: '', reason: FlotillaError.from(error).message }])
      .then((refusals) => answer(type, response, refusals, stream));
  }

  async function take(type: XdsShortName, apply: ApplyUpdate, response: R): Promise<readonly Refusal[]> {
    const { resources, removed, systemVersion } = dialect.read(type, response);
    for (const { name, ttlMs } of resources) lifetimes.set(type, name, ttlMs);
    for (const name of removed) lifetimes.set(type, name, null);
    return apply({ resources: resources.filter(({ isHeartbeat }) => !isHeartbeat), removed, systemVersion });
  }

  function answer(type: XdsShortName, response: R, refusals: readonly Refusal[], stream: PushableIterable<Q>): void {
    const request = dialect.answer(type, response, refusals);
    if (refusals.length > 0) logger.warn('refused configuration', { type, reason: textOf(refusals) });
    // The stream that asked may be gone: then what is in use opens the next one, and there is nobody to answer.
    if (requests === stream) send(request);
  }

  /** The control plane has not confirmed a resource in time: it is as good as removed. */
  function expire(type: XdsShortName, name: string): void {
    logger.warn('a resource has expired', { type, name });
    dialect.forget(type, name);
    options.apply[type]?.({ resources: [], removed: [name], systemVersion: '' }).catch((error: unknown) => {
      logger.error('an expired resource could not be removed', { type, name, error });
    });
  }

  let running = run();
  return {
    subscribeAll: (type) => send(dialect.subscribeAll(type)),
    subscribe: (type, names) => send(dialect.subscribe(type, names)),
    isConnected: () => connected.value === 1,
    async leave() {
      isLeaving = true;
      timer?.cancel();
      if (requests === null) return;
      send(dialect.farewell());
      requests.end();
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const deadline = clock.after(LEAVE_WITHIN_MS, resolve, { keepAlive: true });
      await Promise.race([running, late]);
      deadline.cancel();
    },
    close() {
      stop.abort();
      timer?.cancel();
      lifetimes.close();
      requests?.end();
    },
  };
}

/** One line a resource. */
export function textOf(refusals: readonly Refusal[]): string {
  return refusals.map(({ name, reason }) => (name === '' ? reason : `${name}: ${reason}`)).join('\n');
}
