import { fromBinary, type JsonObject, toJson } from '@bufbuild/protobuf';
import type { AnyMeshResource } from '@flotilla/model';
import { samplesOf } from '../check/check-resource.ts';
import { contentOf, type EncodedResource } from '../translate/encoded.ts';
import { PACKED_TYPES } from '../translate/protobuf.ts';
import type { Exhibit } from './envoy-judge.ts';
import { type GeneratedType, SCHEMAS } from '../translate/draft.ts';

/** What comes of a resource by itself, for Envoy to judge; by the versions of the xDS resources, which tell equals. */
export function exhibitsOf(resource: AnyMeshResource): ReadonlyMap<string, Exhibit> {
  return new Map([...samplesOf(resource)].map((sample) => [sample.version, exhibitOf(sample)]));
}

function exhibitOf(resource: EncodedResource): Exhibit {
  // Of the types that pilot generates.
  const type = resource.type as GeneratedType;
  const message = fromBinary(SCHEMAS[type], contentOf(resource));
  // A message's JSON is an object.
  const json = toJson(SCHEMAS[type], message, { registry: PACKED_TYPES }) as JsonObject;
  return { id: resource.version, type, resource: json };
}
