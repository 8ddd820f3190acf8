import { create } from '@bufbuild/protobuf';
import type { JsonObject } from '@bufbuild/protobuf';
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import { OriginSchema, ResourceKeySchema, ResourceSchema } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type {
  Origin as WireOrigin,
  Resource as WireResource,
  ResourceKey as WireResourceKey,
} from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type { Labels } from './labels.ts';
import type { Origin, ResourceKey } from './resource-key.ts';

/** A resource as galley keeps it: checked, and still in the words of its document. */
export interface Resource {
  readonly key: ResourceKey;
  /** As written, such as `networking.istio.io/v1beta1`. */
  readonly apiVersion: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  /** The document without apiVersion, kind, metadata and status. */
  readonly body: JsonObject;
  readonly origin: Origin;
  /** Version of the whole set in which the resource was last written. */
  readonly resourceVersion: number;
  /** When it first appeared, in milliseconds since the epoch. */
  readonly createdAtMs: number;
}

export function keyFromWire(key: WireResourceKey | undefined): ResourceKey {
  return {
    group: key?.group ?? '',
    kind: key?.kind ?? '',
    namespace: key?.namespace ?? '',
    name: key?.name ?? '',
  };
}

export function keyToWire(key: ResourceKey): WireResourceKey {
  return create(ResourceKeySchema, key);
}

export function originFromWire(origin: WireOrigin | undefined): Origin {
  return { source: origin?.source ?? '', line: origin?.line ?? 0, column: origin?.column ?? 0 };
}

export function originToWire(origin: Origin): WireOrigin {
  return create(OriginSchema, origin);
}

export function resourceFromWire(resource: WireResource): Resource {
  return {
    key: keyFromWire(resource.key),
    apiVersion: resource.apiVersion,
    labels: resource.labels,
    annotations: resource.annotations,
    body: resource.body ?? {},
    origin: originFromWire(resource.origin),
    // The counter grows by one per write: it stays below 2^53.
    resourceVersion: Number(resource.resourceVersion),
    createdAtMs: resource.createdAt === undefined ? 0 : timestampMs(resource.createdAt),
  };
}

export function resourceToWire(resource: Resource): WireResource {
  return create(ResourceSchema, {
    key: keyToWire(resource.key),
    apiVersion: resource.apiVersion,
    labels: { ...resource.labels },
    annotations: { ...resource.annotations },
    body: resource.body,
    origin: originToWire(resource.origin),
    resourceVersion: BigInt(resource.resourceVersion),
    createdAt: timestampFromMs(resource.createdAtMs),
  });
}
