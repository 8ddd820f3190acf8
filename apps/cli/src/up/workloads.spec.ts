import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { decodeMeshFile } from '../mesh-file/decode.ts';
import { PortAllocator } from '../supervisor/ports.ts';
import { planMesh } from './plan.ts';
import { workloadDocuments } from './workloads.ts';

it('what the proxies of a mesh file may be is a WorkloadGroup each, with the ports that were planned', async () => {
  const file = decodeMeshFile(
    `
gateways: [{ name: edge, labels: { istio: ingressgateway }, ports: [{ port: 80, listen: 0 }] }]
workloads:
  - { name: reviews-v1, service: reviews, serviceAccount: r, labels: { app: reviews }, ports: [{ port: 9080 }], command: [sh], directory: / }
`,
    '/mesh.yaml',
  );
  const plan = await planMesh(file, new PortAllocator(), true);
  const [gateway, workload] = plan.proxies;
  expect(parseAllDocuments(workloadDocuments(plan)).map((document): unknown => document.toJS())).toEqual([
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'WorkloadGroup',
      metadata: {
        name: 'edge',
        namespace: 'istio-system',
        annotations: { 'flotilla.io/proxy-type': 'router', 'flotilla.io/addresses': '127.0.0.1' },
      },
      spec: {
        metadata: { labels: { istio: 'ingressgateway' } },
        template: { serviceAccount: 'edge-service-account', ports: { 'port-80': gateway?.ports[0]?.bindPort } },
      },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'WorkloadGroup',
      metadata: {
        name: 'reviews-v1',
        namespace: 'default',
        annotations: { 'flotilla.io/proxy-type': 'sidecar', 'flotilla.io/addresses': '127.0.0.1' },
      },
      spec: {
        metadata: { labels: { app: 'reviews', 'flotilla.io/service': 'reviews' } },
        template: { serviceAccount: 'r', ports: { http: workload?.ports[0]?.bindPort } },
      },
    },
  ]);
});
