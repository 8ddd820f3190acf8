import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { decodeMeshFile } from '../mesh-file/decode.ts';
import { serviceDocuments } from './services.ts';

describe('serviceDocuments', () => {
  it('makes one Service for all workloads of a name, and one ServiceAccount for each identity', () => {
    const file = decodeMeshFile(
      `
workloads:
  - { name: reviews-v1, service: reviews, serviceAccount: r, ports: [{ port: 9080 }], command: [a] }
  - { name: reviews-v2, service: reviews, serviceAccount: r, ports: [{ port: 9080 }], command: [a] }
  - { name: client, command: [a] }
`,
      '/m/mesh.yaml',
    );
    const documents = parseAllDocuments(serviceDocuments(file)).map((document): unknown => document.toJS());
    expect(documents).toEqual([
      expect.objectContaining({
        kind: 'Service',
        metadata: expect.objectContaining({ name: 'reviews', namespace: 'default' }),
        spec: {
          selector: { 'flotilla.io/service': 'reviews' },
          ports: [{ name: 'http', port: 9080, targetPort: 9080 }],
        },
      }),
      expect.objectContaining({ kind: 'ServiceAccount', metadata: { name: 'r', namespace: 'default' } }),
      expect.objectContaining({ kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } }),
    ]);
  });
});
