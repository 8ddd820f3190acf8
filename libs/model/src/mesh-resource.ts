import type { JsonObject } from '@bufbuild/protobuf';
import { FlotillaError } from '@flotilla/runtime';
import type { Resource } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { FaultList, formatPath } from './decode/fault.ts';
import type { Decoded } from './decode/fault.ts';
import { decodeMessage } from './decode/message.ts';
import { findKind } from './kinds.ts';
import type { KindEntry, KnownKind, SpecByKind } from './kinds.ts';
import { describeKey } from './resource-key.ts';
import type { Origin, ResourceKey } from './resource-key.ts';
import type { Labels } from './labels.ts';
import { resourceFromWire } from './resource.ts';

/** A resource with its spec decoded. `type` tells which, so that a `switch` narrows `spec`. */
export interface MeshResource<Spec, Type extends string = string> {
  readonly type: Type;
  readonly key: ResourceKey;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly spec: Spec;
  readonly origin: Origin;
  /** Version of the whole set in which the resource was last written. */
  readonly resourceVersion: number;
  /** When it first appeared, in milliseconds since the epoch. The older of two conflicting rules wins. */
  readonly createdAtMs: number;
}

export type MeshResourceOf<K extends KnownKind> = MeshResource<SpecByKind[K], K>;

/** Any resource that means something to a mesh. */
export type AnyMeshResource = { readonly [K in KnownKind]: MeshResourceOf<K> }[KnownKind];

export function isOfType<K extends KnownKind>(
  resource: AnyMeshResource,
  type: K,
): resource is MeshResourceOf<K> & AnyMeshResource {
  return resource.type === type;
}

/**
 * The typed view of a resource that galley serves. `null` for kinds that mean nothing to a mesh. Throws `invalid` for a
 * body that does not decode: galley checked it, so that is a difference of versions between the two.
 */
export function toMeshResource(resource: Resource): AnyMeshResource | null {
  const plain = resourceFromWire(resource);
  const entry = findKind(plain.key.group, plain.key.kind);
  if (entry === null) return null;
  const decoded = decodeBody(entry, plain.body);
  if (!decoded.ok) {
    const first = decoded.faults.find((fault) => fault.severity === 'error');
    throw new FlotillaError(
      'invalid',
      `${describeKey(plain.key)} cannot be read: ${first === undefined ? '' : formatPath(first.path)} ${first?.message}`,
      { hint: 'Galley accepted it: check that all parts of the control plane have the same version.' },
    );
  }
  return typedResource(plain, entry, decoded.value);
}

/** Joins a resource's facts and its decoded spec. `spec` must come from `decodeBody` with the same entry. */
export function typedResource(
  facts: Omit<AnyMeshResource, 'type' | 'spec'>,
  entry: KindEntry,
  spec: SpecByKind[KnownKind],
): AnyMeshResource {
  const { key, labels, annotations, origin, resourceVersion, createdAtMs } = facts;
  const resource = { type: entry.kind, key, labels, annotations, spec, origin, resourceVersion, createdAtMs };
  // The entry that named the type also decoded the spec, which TypeScript cannot follow through the union.
  return Object.freeze(resource) as AnyMeshResource;
}

/**
 * Decodes a resource's body (the document without apiVersion, kind, metadata and status). Fault paths begin at the
 * document's root. Support by this version is not judged here.
 */
export function decodeBody(entry: KindEntry, body: JsonObject): Decoded<SpecByKind[KnownKind]> {
  const faults = new FaultList();
  if (entry.family === 'kubernetes') {
    const value = entry.shape(body, [], faults);
    const { faults: all, omitted } = faults;
    return faults.hasErrors ? { ok: false, faults: all, omitted } : { ok: true, value, faults: all, omitted };
  }
  for (const name of Object.keys(body)) {
    if (name !== 'spec') faults.unexpected([name], `unknown field ${JSON.stringify(name)}`, 'Fields go under spec.');
  }
  // Kinds such as PeerAuthentication mean something without a spec.
  const decoded = decodeMessage(entry.schema, body['spec'] ?? {}, { path: ['spec'] });
  const wasRight = !faults.hasErrors;
  faults.addAll(decoded);
  const { faults: all, omitted } = faults;
  if (decoded.ok && wasRight) return { ok: true, value: decoded.value, faults: all, omitted };
  const partial = decoded.ok ? decoded.value : decoded.partial;
  return { ok: false, faults: all, omitted, ...(partial === undefined ? {} : { partial }) };
}
