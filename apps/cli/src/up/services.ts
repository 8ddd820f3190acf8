import { stringify } from 'yaml';
import type { MeshFile, WorkloadEntry } from '../mesh-file/mesh-file.ts';

/** Label by which the generated Services select workloads; independent of the labels that the user chose. */
export const SERVICE_LABEL = 'flotilla.io/service';

/**
 * The Kubernetes Services and ServiceAccounts that a mesh file implies, as YAML: one Service for each `service`
 * name with the ports of all its workloads. Istio's own YAML may replace them later by the same names.
 */
export function serviceDocuments(file: MeshFile): string {
  const documents: object[] = [];
  for (const workloads of groupBy(
    file.workloads.filter(hasService),
    (entry) => `${entry.namespace}/${entry.service}`,
  )) {
    const [first] = workloads;
    if (first === undefined) continue;
    const ports = new Map(workloads.flatMap((entry) => entry.ports.map((port) => [port.port, port.name] as const)));
    documents.push({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: first.service, namespace: first.namespace, labels: { service: first.service } },
      spec: {
        selector: { [SERVICE_LABEL]: first.service },
        ports: [...ports].map(([port, name]) => ({ name, port, targetPort: port })),
      },
    });
  }
  for (const [first] of groupBy([...file.workloads, ...file.gateways], (e) => `${e.namespace}/${e.serviceAccount}`)) {
    if (first === undefined) continue;
    documents.push({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: first.serviceAccount, namespace: first.namespace },
    });
  }
  return documents.map((document) => stringify(document)).join('---\n');
}

function hasService(entry: WorkloadEntry): entry is WorkloadEntry & { readonly service: string } {
  return entry.service !== null;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
