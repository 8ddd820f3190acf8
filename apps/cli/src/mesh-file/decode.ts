import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, resolve } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';
import type { GatewayEntry, GatewayPort, MeshFile, WorkloadEntry, WorkloadPort } from './mesh-file.ts';
import { openReader, type Reader } from './reader.ts';

/** Reads and decodes a mesh file. Throws one `invalid` error that lists every fault with its position. */
export async function readMeshFile(path: string): Promise<MeshFile> {
  const absolute = resolve(path);
  let text: string;
  try {
    text = await readFile(absolute, 'utf8');
  } catch (error) {
    throw new FlotillaError('invalid', `cannot read the mesh file ${path}: ${FlotillaError.from(error).message}`, {
      cause: error,
      hint: 'Name a mesh file with -f, such as: flotilla up -f examples/bookinfo/mesh.yaml',
    });
  }
  return decodeMeshFile(text, absolute);
}

/** Decodes the text of a mesh file; relative paths in it are relative to the file. */
export function decodeMeshFile(text: string, path: string): MeshFile {
  const root = openReader(text, path);
  const base = dirname(path);
  const absolute = (file: string) => (isAbsolute(file) ? file : resolve(base, file));
  const namespace = root.name('namespace', 'default');
  const file: MeshFile = {
    path,
    name: root.name('name', 'mesh'),
    trustDomain: root.string('trustDomain', 'cluster.local'),
    certificateTtlMs: root.durationMs('certificateTtl', 24 * 3_600_000),
    configDirectories: root.strings('config').map(absolute),
    meshConfigFile: root.has('meshConfig') ? absolute(root.string('meshConfig', '')) : null,
    gateways: root.list('gateways').map((entry) => decodeGateway(entry)),
    workloads: root.list('workloads').map((entry) => decodeWorkload(entry, namespace, base)),
  };
  root.finish();
  checkNames(root, file);
  root.throwFaults();
  return file;
}

function decodeGateway(entry: Reader): GatewayEntry {
  const name = entry.requiredName('name');
  const gateway: GatewayEntry = {
    kind: 'gateway',
    name,
    namespace: entry.name('namespace', 'istio-system'),
    serviceAccount: entry.name('serviceAccount', `${name}-service-account`),
    labels: entry.stringMap('labels'),
    proxy: entry.choice('proxy', ['flotilla', 'envoy'], 'flotilla'),
    ports: entry.list('ports').map(decodeGatewayPort),
  };
  if (gateway.ports.length === 0) entry.fault('ports', 'a gateway needs at least one port');
  entry.finish();
  return gateway;
}

function decodeGatewayPort(entry: Reader): GatewayPort {
  const port = entry.port('port', null, 1);
  const decoded = { port, listen: entry.port('listen', port) };
  entry.finish();
  return decoded;
}

function decodeWorkload(entry: Reader, namespace: string, base: string): WorkloadEntry {
  const name = entry.requiredName('name');
  const command = entry.strings('command');
  const [program, ...args] = command;
  if (program === undefined) entry.fault('command', 'a workload needs a command: the program and its arguments');
  const workload: WorkloadEntry = {
    kind: 'workload',
    name,
    namespace: entry.name('namespace', namespace),
    serviceAccount: entry.name('serviceAccount', 'default'),
    labels: entry.stringMap('labels'),
    proxy: entry.choice('proxy', ['flotilla', 'envoy'], 'flotilla'),
    service: entry.has('service') ? entry.name('service', '') : null,
    ports: entry.list('ports').map(decodeWorkloadPort),
    command: [program ?? '', ...args],
    env: entry.stringMap('env'),
    directory: resolve(base, entry.string('directory', '.')),
  };
  const names = workload.ports.map((port) => port.name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) entry.fault('ports', `two ports are called ${repeated}; names must differ`);
  if (command.length === 1 && /\s/.test(program ?? '')) {
    entry.fault('command', 'must be a list: the program, then each argument by itself');
  }
  if (workload.service !== null && workload.ports.length === 0) {
    entry.fault('ports', `service ${workload.service} needs at least one port`);
  }
  entry.finish();
  return workload;
}

function decodeWorkloadPort(entry: Reader): WorkloadPort {
  const decoded: WorkloadPort = {
    name: entry.name('name', 'http'),
    port: entry.port('port', null, 1),
    appPort: entry.port('appPort', 0),
  };
  entry.finish();
  return decoded;
}

function checkNames(root: Reader, file: MeshFile): void {
  const seen = new Set<string>();
  for (const { name } of [...file.gateways, ...file.workloads]) {
    if (seen.has(name)) root.fault('workloads', `two entries are called ${name}; names must differ, in all namespaces`);
    seen.add(name);
  }
  if (seen.size === 0) root.fault('workloads', 'the mesh has no workloads');
}
