import { ADDRESSES_ANNOTATION, PROXY_TYPE_ANNOTATION } from '@flotilla/model';
import { stringify } from 'yaml';
import type { GatewayEntry, WorkloadEntry } from '../mesh-file/mesh-file.ts';
import type { MeshPlan } from './plan.ts';
import { SERVICE_LABEL } from './services.ts';

/** Where every proxy of a mesh on one machine is. */
export const LOOPBACK = '127.0.0.1';

/** The labels of a workload: its own, and the one by which its Service selects it. */
export function labelsOf(entry: WorkloadEntry | GatewayEntry): Readonly<Record<string, string>> {
  return {
    ...entry.labels,
    ...(entry.kind === 'workload' && entry.service !== null ? { [SERVICE_LABEL]: entry.service } : {}),
  };
}

/**
 * A WorkloadGroup for every workload and gateway of a mesh file, as YAML: what its proxy may be, down to the ports that
 * were planned for it. Whatever a proxy says of itself, these hold.
 */
export function workloadDocuments({ proxies }: MeshPlan): string {
  return proxies
    .map(({ entry, ports }) => ({
      apiVersion: 'networking.istio.io/v1',
      kind: 'WorkloadGroup',
      metadata: {
        name: entry.name,
        namespace: entry.namespace,
        annotations: {
          [PROXY_TYPE_ANNOTATION]: entry.kind === 'gateway' ? 'router' : 'sidecar',
          [ADDRESSES_ANNOTATION]: LOOPBACK,
        },
      },
      spec: {
        metadata: { labels: labelsOf(entry) },
        template: {
          serviceAccount: entry.serviceAccount,
          ports: Object.fromEntries(ports.map(({ name, bindPort }) => [name, bindPort])),
        },
      },
    }))
    .map((document) => stringify(document))
    .join('---\n');
}
