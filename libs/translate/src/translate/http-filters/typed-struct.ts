import type { JsonObject } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { TypedStructSchema } from '@flotilla/wire/xds/type/v3/typed_struct_pb.js';
import { typed } from '../protobuf.ts';

/** The configuration of an extension whose schema is not among the generated ones. */
export function typedStruct(typeUrl: string, value: JsonObject): Any {
  return typed(TypedStructSchema, { typeUrl, value });
}
