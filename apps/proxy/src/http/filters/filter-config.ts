import type { JsonObject } from '@bufbuild/protobuf';
import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt';
import { TypedStructSchema as UdpaTypedStruct } from '@flotilla/wire/udpa/type/v1/typed_struct_pb.js';
import { TypedStructSchema as XdsTypedStruct } from '@flotilla/wire/xds/type/v3/typed_struct_pb.js';

/** A filter's configuration with the name of its message type. */
export interface FilterConfig {
  readonly typeName: string;
  /** The message itself; null when it came as JSON in a `TypedStruct`. */
  readonly message: Any | null;
  /** The message's JSON form; null when it came as bytes. */
  readonly json: JsonObject | null;
}

/** Reads an `Any`, looking through `TypedStruct`: JSON for a type whose schema the sender does not have. */
export function filterConfigOf(any: Any): FilterConfig {
  const typed = any.typeUrl.endsWith('.TypedStruct')
    ? (anyUnpack(any, XdsTypedStruct) ?? anyUnpack(any, UdpaTypedStruct))
    : undefined;
  if (typed === undefined) return { typeName: typeNameOf(any.typeUrl), message: any, json: null };
  return { typeName: typeNameOf(typed.typeUrl), message: null, json: typed.value ?? {} };
}

function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}
