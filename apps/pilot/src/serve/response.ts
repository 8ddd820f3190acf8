import { TYPE_URLS, type XdsShortName } from '@flotilla/xds';
import { type EncodedResource, field } from '@flotilla/translate';

export interface ResponseHead {
  readonly type: XdsShortName;
  readonly nonce: string;
  /** Version of the mesh configuration. */
  readonly version: string;
}

/**
 * An `envoy.service.discovery.v3.DiscoveryResponse` around resources that are encoded already:
 * version_info = 1, resources = 2, type_url = 4, nonce = 5.
 */
export function encodeSotwResponse(head: ResponseHead, resources: readonly EncodedResource[]): Buffer {
  return Buffer.concat([
    text(1, head.version),
    ...resources.map((resource) => resource.sotw),
    text(4, TYPE_URLS[head.type]),
    text(5, head.nonce),
  ]);
}

/**
 * An `envoy.service.discovery.v3.DeltaDiscoveryResponse`:
 * system_version_info = 1, resources = 2, type_url = 4, nonce = 5, removed_resources = 6.
 */
export function encodeDeltaResponse(
  head: ResponseHead,
  resources: readonly EncodedResource[],
  removed: readonly string[],
): Buffer {
  return Buffer.concat([
    text(1, head.version),
    ...resources.map((resource) => resource.delta),
    text(4, TYPE_URLS[head.type]),
    text(5, head.nonce),
    ...removed.map((name) => text(6, name)),
  ]);
}

function text(number: number, value: string): Buffer {
  return field(number, Buffer.from(value));
}
