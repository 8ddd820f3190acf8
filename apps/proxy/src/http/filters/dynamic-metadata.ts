import { isObject } from '@flotilla/runtime';
import type { JsonObject } from '@bufbuild/protobuf';
import type { StreamInfo } from '@flotilla/stream';

/** Adds to a namespace of a request's metadata; maps within are merged, everything else is replaced. */
export function mergeMetadata(info: StreamInfo, namespace: string, value: JsonObject): void {
  info.dynamicMetadata ??= new Map();
  info.dynamicMetadata.set(namespace, merged(info.dynamicMetadata.get(namespace) ?? {}, value));
}

function merged(base: JsonObject, over: JsonObject): JsonObject {
  const result: JsonObject = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = result[key];
    result[key] = isObject(before) && isObject(value) ? merged(before, value) : value;
  }
  return result;
}
