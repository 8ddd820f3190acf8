import { describe, expect, it } from 'vitest';
import { FlotillaError } from '@flotilla/runtime';
import { decodeMeshFile } from './decode.ts';

const minimal = `
workloads:
  - name: web
    service: web
    ports: [{ name: http, port: 80 }]
    command: [node, server.js]
`;

function faultsOf(text: string): string {
  try {
    decodeMeshFile(text, '/m/mesh.yaml');
  } catch (error) {
    return FlotillaError.from(error).message;
  }
  throw new Error('the file was accepted');
}

describe('decodeMeshFile', () => {
  it('fills in every default', () => {
    const file = decodeMeshFile(minimal, '/m/mesh.yaml');
    expect(file).toMatchObject({
      name: 'mesh',
      trustDomain: 'cluster.local',
      certificateTtlMs: 86_400_000,
      gateways: [],
    });
    expect(file.workloads[0]).toMatchObject({
      namespace: 'default',
      serviceAccount: 'default',
      proxy: 'flotilla',
      directory: '/m',
      ports: [{ name: 'http', port: 80, appPort: 0 }],
    });
  });

  it('takes paths relative to the file', () => {
    const file = decodeMeshFile(`config: [./istio, /etc/mesh]${minimal}`, '/m/mesh.yaml');
    expect(file.configDirectories).toEqual(['/m/istio', '/etc/mesh']);
  });

  it('names file, line, column and field of every fault at once', () => {
    const text = `name: Bad_Name
certificateTtl: soon
workload: []
workloads:
  - name: web
    service: web
    replicas: 2
    ports: [{ port: 99999 }]
`;
    const message = faultsOf(text);
    expect(message.split('\n')).toEqual([
      'the mesh file cannot be used:',
      expect.stringContaining('/m/mesh.yaml:1:7: name "Bad_Name" is not a name'),
      expect.stringContaining('/m/mesh.yaml:2:17: certificateTtl must be a duration'),
      expect.stringContaining('/m/mesh.yaml:5:5: workloads[0].command a workload needs a command'),
      expect.stringContaining('/m/mesh.yaml:8:21: workloads[0].ports[0].port must be a port number'),
      expect.stringContaining('/m/mesh.yaml:7:5: workloads[0].replicas is not a field of a mesh file'),
      expect.stringContaining('/m/mesh.yaml:3:1: workload is not a field of a mesh file'),
    ]);
  });

  it.each([
    ['two workloads of one name', `${minimal}  - name: web\n    command: [a]\n`, 'two entries are called web'],
    ['no workload at all', 'name: empty\n', 'the mesh has no workloads'],
    ['a syntax error', 'workloads: [\n', '/m/mesh.yaml:2:1'],
    ['a list instead of a mapping', '- a\n', 'a mesh file is a mapping'],
    [
      'an unknown proxy',
      minimal.replace('service: web', 'service: web\n    proxy: nginx'),
      'must be one of flotilla, envoy',
    ],
    [
      'two ports of one name',
      minimal.replace('port: 80 }', 'port: 80 }, { name: http, port: 81 }'),
      'two ports are called http',
    ],
    ['port 0', minimal.replace('port: 80', 'port: 0'), 'port must be a port number from 1'],
    ['a command in one text', minimal.replace('[node, server.js]', 'node server.js'), 'command must be a list'],
    ['a gateway without ports', `gateways: [{ name: in }]${minimal}`, 'a gateway needs at least one port'],
  ])('refuses %s', (_case, text, expected) => {
    expect(faultsOf(text)).toContain(expected);
  });
});
