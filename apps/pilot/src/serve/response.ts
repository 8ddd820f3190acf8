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

/** What is kept to be sent once more: responses, and bytes of them together. */
const MAX_KEPT = 32;
const MAX_KEPT_BYTES = 32 * 1024 * 1024;

interface Kept {
  readonly head: ResponseHead;
  readonly resources: readonly EncodedResource[];
  readonly bytes: Buffer;
}

/**
 * Delta responses, encoded once for proxies that are sent the same: those of one class, which are served one after
 * another, mostly are, up to the nonce.
 */
export class DeltaResponses {
  /** The latest last. */
  readonly #kept: Kept[] = [];
  #keptBytes = 0;

  encode(head: ResponseHead, resources: readonly EncodedResource[], removed: readonly string[]): Buffer {
    if (removed.length > 0) return encodeDeltaResponse(head, resources, removed);
    const known = this.#kept.findLast((kept) => isSameHead(kept.head, head) && isSameList(kept.resources, resources));
    if (known !== undefined) return known.bytes;
    const { type, nonce, version } = head;
    const bytes = encodeDeltaResponse(head, resources, removed);
    this.#kept.push({ head: { type, nonce, version }, resources, bytes });
    this.#keptBytes += bytes.length;
    while (this.#kept.length > MAX_KEPT || this.#keptBytes > MAX_KEPT_BYTES) {
      this.#keptBytes -= this.#kept.shift()?.bytes.length ?? this.#keptBytes;
    }
    return bytes;
  }
}

function isSameHead(a: ResponseHead, b: ResponseHead): boolean {
  return a.nonce === b.nonce && a.type === b.type && a.version === b.version;
}

function isSameList(a: readonly EncodedResource[], b: readonly EncodedResource[]): boolean {
  return a.length === b.length && a.every((resource, index) => resource === b[index]);
}

function text(number: number, value: string): Buffer {
  return field(number, Buffer.from(value));
}
