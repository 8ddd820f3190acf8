import { type DescMessage, fromJson, type JsonObject, type MessageShape } from '@bufbuild/protobuf';
import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt';
import type { ProxyContext } from '../../ports/context.ts';
import type { NetworkFilterScope } from '../../ports/network-filter-scope.ts';
import { inField, refuse, requireValid, unpackValid } from '@flotilla/envoy';
import { TypedStructSchema as UdpaTypedStruct } from '@flotilla/wire/udpa/type/v1/typed_struct_pb.js';
import { TypedStructSchema as XdsTypedStruct } from '@flotilla/wire/xds/type/v3/typed_struct_pb.js';

/** What the connection manager tells its filters. */
export interface HttpFilterScope extends NetworkFilterScope {
  /** `http.<stat_prefix>.`, with the last dot. */
  readonly statPrefix: string;
}

/** What a filter's configuration for a route is compiled with. */
export interface RouteFilterScope {
  readonly ctx: Pick<ProxyContext, 'stats' | 'clock' | 'random' | 'surroundings'>;
  /** What the same filter's configuration of the level around it was compiled to; undefined: none. */
  readonly outer: unknown;
}

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

/** The configuration as a message. Throws `invalid` when it cannot be decoded. */
export function messageOf<D extends DescMessage>({ message, json }: FilterConfig, schema: D): MessageShape<D> {
  return inField(schema.typeName, () => {
    if (message !== null) return unpackValid(message, schema) ?? refuse(schema.typeName, 'cannot be decoded');
    const decoded = fromJson(schema, json ?? {});
    requireValid(schema, decoded);
    return decoded;
  });
}

function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}
