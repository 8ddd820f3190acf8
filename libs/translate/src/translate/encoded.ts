import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { type VirtualHost, VirtualHostSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { type RouteConfiguration, RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { contentVersion, TYPE_URLS, type XdsShortName } from '@flotilla/xds';
import { Memo } from '../identity.ts';
import { type Draft, SCHEMAS } from './draft.ts';

/**
 * A resource as every proxy that gets it shares it: encoded once. `delta` and `sotw` are the resource's field of a
 * `DeltaDiscoveryResponse` or `DiscoveryResponse`, tag and length included, ready to be put between other fields.
 */
export interface EncodedResource {
  readonly type: XdsShortName;
  readonly name: string;
  /** Hash of the content: equal resources have equal versions, in every pilot and after a restart. */
  readonly version: string;
  readonly delta: Uint8Array;
  readonly sotw: Uint8Array;
}

export function encodeResource(draft: Draft): EncodedResource {
  const { type, name } = draft;
  const value = draft.type === 'RDS' ? encodeRoutes(draft.message) : toBinary(SCHEMAS[type], draft.message);
  const version = contentVersion(value);
  // google.protobuf.Any { string type_url = 1; bytes value = 2; }
  const any = Buffer.concat([field(1, Buffer.from(TYPE_URLS[type])), field(2, value)]);
  // envoy.service.discovery.v3.Resource { string version = 1; Any resource = 2; string name = 3; }
  const resource = Buffer.concat([field(1, Buffer.from(version)), field(2, any), field(3, Buffer.from(name))]);
  // `resources` is field 2 of both responses.
  return { type, name, version, delta: field(2, resource), sotw: field(2, any) };
}

const hosts = new Memo((host: VirtualHost) => field(2, toBinary(VirtualHostSchema, host)));

/** As `toBinary`; hosts that are in other route configurations, too, are encoded once. */
function encodeRoutes(message: RouteConfiguration): Uint8Array {
  const { name, virtualHosts } = message;
  return Buffer.concat([
    // envoy.config.route.v3.RouteConfiguration { string name = 1; repeated VirtualHost virtual_hosts = 2; … }
    name === '' ? Buffer.alloc(0) : field(1, Buffer.from(name)),
    ...virtualHosts.map((host) => hosts.get(host)),
    toBinary(RouteConfigurationSchema, { ...message, name: '', virtualHosts: [] }),
  ]);
}

/** The bytes of the resource itself, without what is around it in a response. */
export function contentOf(resource: EncodedResource): Uint8Array {
  // One byte of tag, then the length as a varint, then the `Any`.
  const lengthBytes = resource.sotw.subarray(1).findIndex((byte) => byte < 0x80) + 1;
  return fromBinary(AnySchema, resource.sotw.subarray(1 + lengthBytes)).value;
}

/** One length-delimited protobuf field. */
export function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
