import { create, type JsonObject } from '@bufbuild/protobuf';
import { type Node, NodeSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import type { AgentOptions } from './agent-options.ts';

/** A filter that a data plane has. */
export interface DataPlaneExtension {
  readonly name: string;
  readonly typeUrl: string;
}

/**
 * The node of a proxy, as pilot reads it: Istio's id (`sidecar~<ip>~<workload>.<namespace>~<namespace>.svc.cluster.local`)
 * and metadata names, and `FLOTILLA_PORTS` of our own. `extensions` are the filters that the data plane has; stock
 * Envoy fills in its own.
 */
export function buildNode(options: AgentOptions, extensions: readonly DataPlaneExtension[]): Node {
  const { kind, ips, workload, namespace, labels } = options;
  const app = labels['app'] ?? labels['app.kubernetes.io/name'] ?? workload;
  return create(NodeSchema, {
    id: `${kind}~${ips[0]}~${workload}.${namespace}~${namespace}.svc.cluster.local`,
    cluster: `${app}.${namespace}`,
    metadata: metadataOf(options),
    ...(extensions.length === 0
      ? {}
      : {
          userAgentName: 'flotilla',
          extensions: extensions.map(({ name, typeUrl }) => ({ name, typeUrls: [typeNameOf(typeUrl)] })),
        }),
  });
}

/** Envoy announces bare type names in `type_urls`. */
function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}

function metadataOf(options: AgentOptions): JsonObject {
  return {
    NAMESPACE: options.namespace,
    WORKLOAD_NAME: options.workload,
    NAME: options.workload,
    SERVICE_ACCOUNT: options.serviceAccount,
    LABELS: { ...options.labels },
    FLOTILLA_INSTANCE: options.instance,
    MESH_ID: options.meshId ?? options.trustDomain,
    TRUST_DOMAIN: options.trustDomain,
    CLUSTER_ID: options.clusterId ?? 'Kubernetes',
    INSTANCE_IPS: options.ips.join(','),
    INTERCEPTION_MODE: options.interceptionMode,
    ...(options.httpProxyPort === null ? {} : { HTTP_PROXY_PORT: String(options.httpProxyPort) }),
    ...(options.ports.length === 0 ? {} : { FLOTILLA_PORTS: options.ports.map((port) => ({ ...port })) }),
  };
}
