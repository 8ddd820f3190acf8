import { create } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
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
  subscribeDelta,
  typeUrlOf,
  type XdsShortName,
} from '@flotilla/xds';
import { type Dialect, FAREWELL, textOf } from './discovery-stream.ts';

/** `DeltaAggregatedResources`: responses hold what has changed, and each resource has a version of its own. */
export function deltaDialect(): Dialect<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  const states = new Map<XdsShortName, DeltaClientState>();

  function stateOf(type: XdsShortName): DeltaClientState {
    return states.get(type) ?? deltaClient(typeUrlOf(type), { wildcard: false });
  }

  return {
    repeatsNode: false,
    contents: ({ resources }) => resources.flatMap(({ resource }) => resource?.value ?? []),
    call: (transport, requests, signal) =>
      createClient(AggregatedDiscoveryService, transport).deltaAggregatedResources(requests, { signal }),
    open: () => inPushOrder(states.keys()).flatMap((type) => requestOf(openDelta(stateOf(type))) ?? []),
    subscribeAll(type) {
      if (states.has(type)) return null;
      const state = deltaClient(typeUrlOf(type), { wildcard: true });
      states.set(type, state);
      return requestOf(openDelta(state));
    },
    subscribe(type, names) {
      const before = states.get(type);
      const { state, request } = subscribeDelta(stateOf(type), names);
      states.set(type, state);
      const isOpened = before !== undefined && (before.wildcard || before.names.size > 0);
      return requestOf(isOpened ? request : openDelta(state));
    },
    read(type, { resources, removedResources, systemVersionInfo }) {
      const { versions } = stateOf(type);
      return {
        resources: resources.map(({ name, version, resource, ttl }) => ({
          name,
          version,
          resource: resource ?? null,
          ttlMs: ttl === undefined ? null : durationMs(ttl),
          isHeartbeat: resource === undefined && versions.get(name) === version,
        })),
        removed: removedResources,
        systemVersion: systemVersionInfo,
      };
    },
    answer(type, response, refusals) {
      const refused = new Set(refusals.map(({ name }) => name));
      const isWhole = refused.has('');
      const accepted = acceptDelta(stateOf(type), {
        typeUrl: response.typeUrl,
        nonce: response.nonce,
        resources: isWhole ? [] : response.resources.filter(({ name }) => !refused.has(name)),
        removedResources: isWhole ? [] : response.removedResources.filter((name) => !refused.has(name)),
      });
      states.set(type, accepted.state);
      return requestOf(
        refusals.length === 0 ? accepted.request : refuseDelta(accepted.state, response, textOf(refusals)),
      );
    },
    farewell: () => create(DeltaDiscoveryRequestSchema, FAREWELL),
    forget(type, name) {
      const state = stateOf(type);
      const versions = new Map(state.versions);
      if (versions.delete(name)) states.set(type, { ...state, versions });
    },
  };
}

function requestOf(init: DeltaRequestInit | null): DeltaDiscoveryRequest | null {
  return init === null ? null : create(DeltaDiscoveryRequestSchema, init);
}
