import { create } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { type Any, durationMs } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { FlotillaError } from '@flotilla/runtime';
import { AggregatedDiscoveryService } from '@flotilla/wire/envoy/service/discovery/v3/ads_pb.js';
import {
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  ResourceSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import {
  acceptSotw,
  inPushOrder,
  openSotw,
  receiveSotw,
  refuseSotw,
  type SotwClientState,
  sotwClient,
  type SotwRequestInit,
  subscribeSotw,
  typeUrlOf,
  type XdsShortName,
} from '@flotilla/xds';
import { decodeBytes } from '@flotilla/envoy';
import { type Dialect, type DiscoveredResource, FAREWELL, textOf } from './discovery-stream.ts';

/**
 * `StreamAggregatedResources`, the state of the world: a response holds all clusters or all listeners, or those of
 * another type that have changed, under one version.
 */
export function sotwDialect(options: { readonly repeatsNode: boolean }): Dialect<DiscoveryRequest, DiscoveryResponse> {
  const states = new Map<XdsShortName, SotwClientState>();

  function stateOf(type: XdsShortName): SotwClientState {
    return states.get(type) ?? sotwClient(typeUrlOf(type), { wildcard: false });
  }

  function step(type: XdsShortName, next: ReturnType<typeof openSotw>): DiscoveryRequest | null {
    states.set(type, next.state);
    return requestOf(next.request);
  }

  return {
    repeatsNode: options.repeatsNode,
    contents: ({ resources }) => resources.map(({ value }) => value),
    call: (transport, requests, signal) =>
      createClient(AggregatedDiscoveryService, transport).streamAggregatedResources(requests, { signal }),
    open: () => inPushOrder(states.keys()).flatMap((type) => step(type, openSotw(stateOf(type))) ?? []),
    subscribeAll(type) {
      if (states.has(type)) return null;
      return step(type, openSotw(sotwClient(typeUrlOf(type), { wildcard: true })));
    },
    subscribe: (type, names) => step(type, subscribeSotw(stateOf(type), names)),
    read(type, response) {
      const state = stateOf(type);
      const resources = response.resources.map((any) => readResource(any, response.versionInfo, state));
      // Heartbeats alone say nothing of the others.
      if (resources.length > 0 && resources.every(({ isHeartbeat }) => isHeartbeat)) {
        return { resources, removed: [], systemVersion: '' };
      }
      const received = receiveSotw(
        state,
        resources.map(({ name }) => name),
      );
      states.set(type, received.state);
      return { resources, removed: received.removed, systemVersion: '' };
    },
    answer: (type, response, refusals) =>
      step(
        type,
        refusals.length === 0
          ? acceptSotw(stateOf(type), response)
          : refuseSotw(stateOf(type), response, textOf(refusals)),
      ),
    farewell: () => create(DiscoveryRequestSchema, FAREWELL),
    forget(type, name) {
      const state = stateOf(type);
      states.set(type, { ...state, held: new Set([...state.held].filter((held) => held !== name)) });
    },
  };
}

/** A resource as it stands in a response: bare, or wrapped to have a lifetime. Throws `invalid`. */
function readResource(any: Any, version: string, state: SotwClientState): DiscoveredResource {
  if (!any.typeUrl.endsWith(`/${ResourceSchema.typeName}`)) {
    return { name: nameOf(any), version, resource: any, ttlMs: null, isHeartbeat: false };
  }
  const { name, resource, ttl, version: own } = decodeBytes(ResourceSchema, any.value);
  return {
    // Without a name of its own the wrapper is named after what is in it.
    name: name === '' && resource !== undefined ? nameOf(resource) : name,
    version: own,
    resource: resource ?? null,
    ttlMs: ttl === undefined ? null : durationMs(ttl),
    isHeartbeat: resource === undefined && own === state.version,
  };
}

/** Every discovery type has its name as field 1; the rest is decoded by whoever takes it. Throws `invalid`. */
function nameOf({ typeUrl, value }: Any): string {
  try {
    const reader = new BinaryReader(value);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1 && wireType === WireType.LengthDelimited) return reader.string();
      reader.skip(wireType, field);
    }
  } catch (error) {
    throw new FlotillaError('invalid', `cannot decode ${typeUrl}`, { cause: error });
  }
  throw new FlotillaError('invalid', `a resource of ${typeUrl} has no name`);
}

function requestOf(init: SotwRequestInit | null): DiscoveryRequest | null {
  return init === null ? null : create(DiscoveryRequestSchema, init);
}
