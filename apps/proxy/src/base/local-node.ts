import type { JsonObject } from '@bufbuild/protobuf';
import type { Node } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';

/** This proxy, as metrics and metadata exchange name it. From the bootstrap's node. */
export interface LocalNode {
  readonly id: string;
  readonly workload: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cluster: string;
  readonly meshId: string;
  readonly trustDomain: string;
}

/**
 * Who this proxy is, from the bootstrap's node: Istio's metadata where it is there, the parts of an Istio node id
 * otherwise. A static bootstrap without either gets empty names.
 */
export function localNodeOf(node: Node | undefined): LocalNode {
  const metadata = node?.metadata ?? {};
  const [, , idName = ''] = node?.id.split('~') ?? [];
  const dot = idName.lastIndexOf('.');
  return {
    id: node?.id ?? '',
    workload: textOf(metadata, 'WORKLOAD_NAME') ?? idName.slice(0, Math.max(0, dot)),
    namespace: textOf(metadata, 'NAMESPACE') ?? (dot === -1 ? '' : idName.slice(dot + 1)),
    serviceAccount: textOf(metadata, 'SERVICE_ACCOUNT') ?? 'default',
    labels: labelsOf(metadata),
    cluster: textOf(metadata, 'CLUSTER_ID') ?? '',
    meshId: textOf(metadata, 'MESH_ID') ?? '',
    trustDomain: textOf(metadata, 'TRUST_DOMAIN') ?? 'cluster.local',
  };
}

function textOf(metadata: JsonObject, key: string): string | null {
  const value = metadata[key];
  return typeof value === 'string' && value !== '' ? value : null;
}

function labelsOf(metadata: JsonObject): Readonly<Record<string, string>> {
  const labels = metadata['LABELS'];
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return {};
  return Object.fromEntries(
    Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
