import { createLogger } from '@flotilla/observe';
import { FlotillaError, systemClock } from '@flotilla/runtime';
import { readMeshFile } from '../mesh-file/decode.ts';
import type { MeshFile, WorkloadIdentity } from '../mesh-file/mesh-file.ts';
import { findProgram } from '../supervisor/program.ts';
import { formatTable } from '../terminal/table.ts';
import { type RunningMesh, runMesh } from '../up/run.ts';
import { type LogOptions, loggerOptions } from './log-options.ts';
import { durationOption, integerOption } from './option-values.ts';
import { untilSignal } from '@flotilla/service/process';
import { printLine, printMessage } from '@flotilla/sockets/standard-streams';

export interface UpCommandOptions extends LogOptions {
  readonly file: string;
  readonly data?: string;
  readonly beginAnew?: readonly string[];
  readonly anyPort?: boolean;
  readonly certificateTtl?: string;
  readonly envoy?: string;
  readonly envoyFor?: readonly string[];
  readonly output?: string;
  readonly logMaxBytes: string;
  readonly logMaxFiles: string;
}

/** `flotilla up`: runs until SIGINT or SIGTERM, then stops everything it started. */
export async function up(options: UpCommandOptions): Promise<void> {
  const stopped = untilSignal();
  const file = override(await readMeshFile(options.file), options);
  const mesh = await runMesh({
    file,
    dataDirectory: options.data ?? null,
    beginAnew: options.beginAnew ?? [],
    anyPort: options.anyPort === true,
    envoyPath: options.envoy ?? process.env['FLOTILLA_ENVOY'] ?? findProgram('envoy'),
    logBounds: {
      maxBytes: integerOption('--log-max-bytes', options.logMaxBytes, 64 * 1024),
      maxFiles: integerOption('--log-max-files', options.logMaxFiles, 1),
    },
    logger: await createLogger({ name: 'flotilla', ...loggerOptions(options) }),
    clock: systemClock,
    progress: (line) => printMessage(line),
    stopped,
  });
  if (options.output === 'json') printLine(JSON.stringify(summary(mesh)));
  else printLine(describe(mesh));
  await stopped;
  printMessage('stopping');
  await mesh.close();
}

/** The mesh file with what the command line says instead. Throws `usage` for a workload that it does not have. */
function override(file: MeshFile, options: UpCommandOptions): MeshFile {
  const wanted = new Set(options.envoyFor ?? []);
  const known = [...file.gateways, ...file.workloads].map(({ name }) => name);
  const unknown = [...wanted].filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new FlotillaError('usage', `--envoy-for ${unknown.join(', ')}: ${file.path} has ${known.join(', ')}`);
  }
  const withProxy = <E extends WorkloadIdentity>(entry: E): E =>
    wanted.has(entry.name) ? { ...entry, proxy: 'envoy' } : entry;
  return {
    ...file,
    certificateTtlMs:
      options.certificateTtl === undefined
        ? file.certificateTtlMs
        : durationOption('--certificate-ttl', options.certificateTtl),
    gateways: file.gateways.map(withProxy),
    workloads: file.workloads.map(withProxy),
  };
}

function summary(mesh: RunningMesh): object {
  return {
    ready: true,
    seconds: mesh.seconds,
    ingress: ingressUrl(mesh),
    api: mesh.context.api,
    pid: process.pid,
    controlPlanePid: mesh.processes.all.get('control-plane')?.pid,
    logs: mesh.logDirectory,
    proxies: mesh.plan.proxies.map(({ entry, adminPort, httpProxyPort, ports }) => ({
      name: entry.name,
      namespace: entry.namespace,
      proxy: entry.proxy,
      pid: mesh.processes.all.get(`${entry.name}/proxy`)?.pid,
      applicationPid: mesh.processes.all.get(`${entry.name}/application`)?.pid,
      admin: `http://127.0.0.1:${adminPort}`,
      httpProxy: httpProxyPort === null ? null : `http://127.0.0.1:${httpProxyPort}`,
      ports: ports.map(({ name, port, bindPort, appPort }) => ({
        name,
        port,
        address: `127.0.0.1:${bindPort}`,
        ...(appPort === 0 ? {} : { application: `127.0.0.1:${appPort}` }),
      })),
    })),
  };
}

function ingressUrl(mesh: RunningMesh): string | null {
  const port = mesh.plan.proxies.find(({ entry }) => entry.kind === 'gateway')?.ports[0];
  return port === undefined ? null : `http://127.0.0.1:${port.bindPort}`;
}

function describe(mesh: RunningMesh): string {
  const rows = mesh.plan.proxies.map(({ entry, adminPort, httpProxyPort, ports }) => [
    entry.name,
    ports.map(({ name, bindPort }) => `${name} 127.0.0.1:${bindPort}`).join(', '),
    httpProxyPort === null ? '' : `127.0.0.1:${httpProxyPort}`,
    `http://127.0.0.1:${adminPort}`,
  ]);
  return [
    '',
    formatTable(['WORKLOAD', 'MESH PORTS', 'FORWARD PROXY', 'ADMIN'], rows),
    '',
    `ready after ${mesh.seconds} s`,
    `ingress  ${ingressUrl(mesh) ?? 'none'}`,
    `api      ${mesh.context.api}`,
    `logs     ${mesh.logDirectory}`,
    'Ctrl-C stops the mesh.',
  ].join('\n');
}
