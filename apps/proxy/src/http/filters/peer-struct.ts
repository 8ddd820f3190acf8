import { fromBinary, fromJson, type JsonObject, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { StructSchema } from '@bufbuild/protobuf/wkt';
import { limit } from '@flotilla/runtime';
import type { LocalNode } from '../../base/local-node.ts';
import type { PeerMetadata } from '@flotilla/stream';

const UNKNOWN = 'unknown';
/** More than any honest peer sends; the header limit of the codec would allow far more. */
const MAX_ENCODED_LENGTH = limit({
  name: 'proxy.peer-metadata-bytes',
  what: '`x-envoy-peer-metadata` of a peer',
  default: 8_192,
  unit: 'bytes',
  past: 'the peer counts as unknown',
});
/** Peers remembered by what they sent. */
const MAX_CACHED = limit({
  name: 'proxy.remembered-peers',
  what: 'peers remembered by what they sent',
  default: 512,
  unit: 'count',
  past: 'the oldest is decoded anew',
});

/** This proxy as Istio's proxies tell of themselves: a `Struct`, deterministic bytes, base64. */
export function encodeLocalPeer(node: LocalNode): string {
  const labels = Object.fromEntries(Object.entries(node.labels).sort(([a], [b]) => (a < b ? -1 : 1)));
  const struct = {
    CLUSTER_ID: node.cluster,
    LABELS: labels,
    MESH_ID: node.meshId,
    NAME: node.workload,
    NAMESPACE: node.namespace,
    SERVICE_ACCOUNT: node.serviceAccount,
    WORKLOAD_NAME: node.workload,
  };
  return Buffer.from(toBinary(StructSchema, fromJson(StructSchema, struct))).toString('base64');
}

/** Reads what peers sent. Malformed metadata is no metadata: telemetry fails open. */
export class PeerDecoder {
  readonly #known = new Map<string, PeerMetadata | null>();

  /** Equal inputs give the same object, so that metrics find their series by it. */
  decode(encoded: string): PeerMetadata | null {
    const known = this.#known.get(encoded);
    if (known !== undefined) return known;
    const decoded = encoded.length > MAX_ENCODED_LENGTH ? null : decodePeer(encoded);
    if (this.#known.size >= MAX_CACHED) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    this.#known.set(encoded, decoded);
    return decoded;
  }
}

function decodePeer(encoded: string): PeerMetadata | null {
  let fields: JsonValue;
  try {
    fields = toJson(StructSchema, fromBinary(StructSchema, Buffer.from(encoded, 'base64')));
  } catch {
    // Not a Struct: the peer is of another make.
    return null;
  }
  const struct = objectOf(fields);
  const labels = objectOf(struct['LABELS']);
  const workload = textOf(struct['WORKLOAD_NAME']);
  const app = textOf(labels['app']) ?? textOf(labels['app.kubernetes.io/name']);
  const version = textOf(labels['version']) ?? textOf(labels['app.kubernetes.io/version']);
  return {
    workload: workload ?? UNKNOWN,
    namespace: textOf(struct['NAMESPACE']) ?? UNKNOWN,
    canonicalService: textOf(labels['service.istio.io/canonical-name']) ?? app ?? workload ?? UNKNOWN,
    canonicalRevision: textOf(labels['service.istio.io/canonical-revision']) ?? version ?? 'latest',
    app: app ?? UNKNOWN,
    version: version ?? UNKNOWN,
    cluster: textOf(struct['CLUSTER_ID']) ?? UNKNOWN,
  };
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
