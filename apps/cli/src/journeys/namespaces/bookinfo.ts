import { join } from 'node:path';
import { repository } from '../mesh.ts';
import type { MeshPlan, WorkloadPlan } from './mesh-plan.ts';

const PORT = 9080;
const SERVICES = ['details', 'ratings', 'reviews', 'productpage'] as const;

/** Bookinfo's workloads, each with the Service of its label `app`; the applications call `http://reviews:9080`. */
export const bookinfoWorkloads: readonly WorkloadPlan[] = (
  [
    ['details', 'v1'],
    ['ratings', 'v1'],
    ['reviews', 'v1'],
    ['reviews', 'v2'],
    ['reviews', 'v3'],
    ['productpage', 'v1'],
  ] as const
).map(([app, version]) => ({
  name: `${app}-${version}`,
  serviceAccount: `bookinfo-${app}`,
  labels: { app, version },
  command: [process.execPath, join(repository, 'examples/bookinfo/src', `${app}.ts`), String(PORT)],
  env: { HOST: '::', SERVICE_VERSION: version },
}));

/** Bookinfo behind an ingress gateway: services with virtual addresses of both families. */
export const bookinfo: MeshPlan = {
  directories: [join(repository, 'examples/bookinfo/config')],
  workloads: bookinfoWorkloads,
  gateway: { name: 'ingress', port: 8080 },
  config: (network) =>
    SERVICES.map((name, index) => {
      const { ipv4, ipv6 } = network.virtualAddress(index);
      return service(name, [ipv4, ipv6], [{ name: 'http', port: PORT }]);
    }).join('---\n'),
  names: (network) => Object.fromEntries(SERVICES.map((name, index) => [name, [network.virtualAddress(index).ipv4]])),
};

/** A Kubernetes Service that selects by the label `app`. */
export function service(
  name: string,
  addresses: readonly string[],
  ports: readonly { readonly name: string; readonly port: number; readonly targetPort?: number }[],
): string {
  return `${JSON.stringify({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { clusterIP: addresses[0] ?? 'None', clusterIPs: addresses, selector: { app: name }, ports },
  })}\n`;
}
