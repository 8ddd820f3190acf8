import { create } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { Backoff, type Clock, FlotillaError, type Random, type Timer } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { Node } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { AggregatedDiscoveryService } from '@flotilla/wire/envoy/service/discovery/v3/ads_pb.js';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import {
  acceptDelta,
  type DeltaClientState,
  type DeltaRequestInit,
  deltaClient,
  inPushOrder,
  openDelta,
  refuseDelta,
  shortNameOf,
  subscribeDelta,
  typeUrlOf,
  type XdsShortName,
} from '@flotilla/xds';
import { PushableIterable } from './pushable.ts';
import type { GrpcCluster, GrpcConnection } from './grpc-cluster.ts';
import type { StatsRegistry } from '../observe/stats.ts';

/** What one response brought. */
export interface DeltaUpdate {
  readonly resources: readonly { readonly name: string; readonly version: string; readonly resource: Any | null }[];
  readonly removed: readonly string[];
  readonly systemVersion: string;
}

/** A resource that was not taken, and why. */
export interface Refusal {
  readonly name: string;
  readonly reason: string;
}

/**
 * Takes a response into use: what can be used is used, the rest is named. The promise settles when the answer may
 * be given (a cluster update is acknowledged when its clusters are warm); later responses do not wait for it.
 */
export type ApplyDelta = (update: DeltaUpdate) => Promise<readonly Refusal[]>;

export interface DeltaStreamOptions {
  readonly cluster: GrpcCluster;
  readonly node: Node;
  readonly apply: Readonly<Partial<Record<XdsShortName, ApplyDelta>>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly stats: StatsRegistry;
}

/** One aggregated delta stream, kept open: it reconnects with back-off and resumes with the versions in use. */
export interface DeltaStream {
  /** Subscribes to everything of a type. */
  subscribeAll(type: XdsShortName): void;
  /** Sets the wanted names of a type. */
  subscribe(type: XdsShortName, names: Iterable<string>): void;
  isConnected(): boolean;
  close(): void;
}

const BACKOFF = { baseMs: 250, maxMs: 5_000 };
/** A stream that lived this long was a success: the next one starts without back-off steps. */
const HEALTHY_AFTER_MS = 5_000;

export function openDeltaStream(options: DeltaStreamOptions): DeltaStream {
  const { clock, logger, stats } = options;
  const connected = stats.gauge('control_plane.connected_state');
  const states = new Map<XdsShortName, DeltaClientState>();
  const backoff = new Backoff(BACKOFF, options.random);
  const stop = new AbortController();
  let requests: PushableIterable<DeltaDiscoveryRequest> | null = null;
  let isFirst = true;
  let timer: Timer | null = null;

  function send(init: DeltaRequestInit | null): void {
    if (requests === null || init === null) return;
    requests.push(create(DeltaDiscoveryRequestSchema, isFirst ? { ...init, node: options.node } : init));
    isFirst = false;
  }

  async function run(): Promise<void> {
    let connection: GrpcConnection | null = null;
    const startedMs = clock.monotonicMs();
    try {
      connection = await options.cluster.connect(stop.signal);
      const outgoing = new PushableIterable<DeltaDiscoveryRequest>();
      requests = outgoing;
      isFirst = true;
      const client = createClient(AggregatedDiscoveryService, connection.transport);
      for (const type of inPushOrder(states.keys())) send(openDelta(stateOf(type)));
      connected.value = 1;
      logger.info('connected to the control plane');
      for await (const response of client.deltaAggregatedResources(outgoing, { signal: stop.signal })) {
        receive(response, outgoing);
      }
      throw new FlotillaError('unavailable', 'the control plane ended the stream');
    } catch (error) {
      if (stop.signal.aborted) return;
      if (clock.monotonicMs() - startedMs > HEALTHY_AFTER_MS) backoff.reset();
      const delayMs = backoff.nextMs();
      logger.warn('no stream to the control plane; the configuration in force stays', {
        reason: FlotillaError.from(error).message,
        retryInMs: Math.round(delayMs),
      });
      timer = clock.after(delayMs, () => void run(), { keepAlive: true });
    } finally {
      requests?.end();
      requests = null;
      connected.value = 0;
      connection?.close();
    }
  }

  function stateOf(type: XdsShortName): DeltaClientState {
    return states.get(type) ?? deltaClient(typeUrlOf(type), { wildcard: false });
  }

  function receive(response: DeltaDiscoveryResponse, stream: PushableIterable<DeltaDiscoveryRequest>): void {
    const type = shortNameOf(response.typeUrl);
    const apply = type === null ? undefined : options.apply[type];
    if (type === null || apply === undefined) {
      logger.warn('the control plane sent a type that was not asked for', { typeUrl: response.typeUrl });
      return;
    }
    apply({
      resources: response.resources.map(({ name, version, resource }) => ({
        name,
        version,
        resource: resource ?? null,
      })),
      removed: response.removedResources,
      systemVersion: response.systemVersionInfo,
    })
      .catch((error: unknown) => [{ name: '', reason: FlotillaError.from(error).message }])
      .then((refusals) => answer(type, response, refusals, stream));
  }

  function answer(
    type: XdsShortName,
    response: DeltaDiscoveryResponse,
    refusals: readonly Refusal[],
    stream: PushableIterable<DeltaDiscoveryRequest>,
  ): void {
    const refused = new Set(refusals.map(({ name }) => name));
    const isWhole = refused.has('');
    const taken = isWhole ? [] : response.resources.filter(({ name }) => !refused.has(name));
    const accepted = acceptDelta(stateOf(type), {
      typeUrl: response.typeUrl,
      nonce: response.nonce,
      resources: taken,
      removedResources: isWhole ? [] : response.removedResources.filter((name) => !refused.has(name)),
    });
    states.set(type, accepted.state);
    // The stream that asked may be gone: then the versions open the next one, and there is nobody to answer.
    if (requests !== stream) return;
    if (refusals.length === 0) {
      send(accepted.request);
      return;
    }
    const reason = refusals.map(({ name, reason: why }) => (name === '' ? why : `${name}: ${why}`)).join('\n');
    logger.warn('refused configuration', { type, reason });
    send(refuseDelta(accepted.state, response, reason));
  }

  void run();
  return {
    subscribeAll(type) {
      if (states.has(type)) return;
      const state = deltaClient(typeUrlOf(type), { wildcard: true });
      states.set(type, state);
      send(openDelta(state));
    },
    subscribe(type, names) {
      const before = states.get(type);
      const { state, request } = subscribeDelta(stateOf(type), names);
      states.set(type, state);
      const isOpened = before !== undefined && (before.wildcard || before.names.size > 0);
      send(isOpened ? request : openDelta(state));
    },
    isConnected: () => connected.value === 1,
    close() {
      stop.abort();
      timer?.cancel();
      requests?.end();
    },
  };
}
