import { create } from '@bufbuild/protobuf';
import type { NodeSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { type MeshConfig, MeshConfigSchema } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import type { Init } from '../translate/protobuf.ts';

export type NodeInit = Init<typeof NodeSchema>;

export function meshConfig(fields: Parameters<typeof create<typeof MeshConfigSchema>>[1]): MeshConfig {
  return create(MeshConfigSchema, fields);
}

export interface SidecarOptions {
  readonly workload?: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly labels?: Record<string, string>;
  readonly locality?: { readonly region: string; readonly zone: string; readonly subZone: string };
  /** The workload's addresses, separated by commas. */
  readonly ips?: string;
  /** Explicit mode, with the port of the HTTP proxy listener; 0 for none. */
  readonly httpProxyPort?: number;
  readonly ports?: readonly { readonly [field: string]: string | number }[];
}

/** A node as an agent sends it; without `httpProxyPort` in redirect mode. */
export function sidecarNode(options: SidecarOptions = {}): NodeInit {
  return nodeOf('sidecar', options);
}

export function routerNode(options: SidecarOptions = {}): NodeInit {
  return nodeOf('router', options);
}

function nodeOf(type: 'sidecar' | 'router', options: SidecarOptions): NodeInit {
  const { workload = 'productpage-v1', namespace = 'default', serviceAccount = 'default' } = options;
  const isExplicit = options.httpProxyPort !== undefined;
  const hasProxyPort = isExplicit && options.httpProxyPort !== 0;
  return {
    id: `${type}~127.0.0.1~${workload}.${namespace}~${namespace}.svc.cluster.local`,
    cluster: `${workload}.${namespace}`,
    userAgentName: 'test',
    ...(options.locality === undefined ? {} : { locality: options.locality }),
    metadata: {
      NAMESPACE: namespace,
      WORKLOAD_NAME: workload,
      SERVICE_ACCOUNT: serviceAccount,
      LABELS: options.labels ?? {},
      ...(options.ips === undefined ? {} : { INSTANCE_IPS: options.ips }),
      INTERCEPTION_MODE: isExplicit ? 'NONE' : 'REDIRECT',
      ...(hasProxyPort ? { HTTP_PROXY_PORT: String(options.httpProxyPort) } : {}),
      ...(options.ports === undefined ? {} : { FLOTILLA_PORTS: [...options.ports] }),
    },
  };
}
