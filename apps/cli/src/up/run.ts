import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connectMesh, type MeshClient } from '@flotilla/client';
import type { Logger } from '@flotilla/observe';
import { type Clock, FlotillaError, openWatchdog, StopStack } from '@flotilla/runtime';
import { type LogBounds, replaceDurably } from '@flotilla/runtime/disk';
import { createAdminToken } from '../control-plane/admin-token.ts';
import { type MeshContext, publishContext } from '../context/context.ts';
import type { MeshFile } from '../mesh-file/mesh-file.ts';
import { PortAllocator } from '../supervisor/ports.ts';
import { openReaper, type Reaper } from '../supervisor/reaper.ts';
import { SupervisedProcess } from '../supervisor/supervised.ts';
import { logFileOf, startApplication, startControlPlaneProcess, startProxyProcess } from './processes.ts';
import type { Directories, MeshProcesses } from './mesh-processes.ts';
import { openProcessLog } from './process-log.ts';
import { checkEnvoy, type MeshPlan, planMesh, type PlannedProxy } from './plan.ts';
import { waitUntilListening, waitUntilReady } from './readiness.ts';
import { serviceDocuments } from './services.ts';
import { watchProcesses } from './watch.ts';
import { createWorkloadToken } from './tokens.ts';
import { workloadDocuments } from './workloads.ts';

export interface UpOptions {
  readonly file: MeshFile;
  /** Keeps state between runs; null forgets it at the end. */
  readonly dataDirectory: string | null;
  /** What of it was lost on purpose, as the refusal of a start names it. */
  readonly beginAnew: readonly string[];
  /** Every fixed port of the mesh file gives way to a free one. */
  readonly anyPort: boolean;
  /** Path of stock Envoy for workloads that ask for it. */
  readonly envoyPath: string | null;
  /** How much is kept of what each process says. */
  readonly logBounds: LogBounds;
  readonly logger: Logger;
  readonly clock: Clock;
  /** One line of progress for a person. */
  readonly progress: (line: string) => void;
  /** Gives the start up when it resolves first. */
  readonly stopped: Promise<unknown>;
}

export interface RunningMesh {
  readonly plan: MeshPlan;
  readonly context: MeshContext;
  /** From the start to the moment that every proxy was in sync. */
  readonly seconds: number;
  readonly logDirectory: string;
  readonly processes: MeshProcesses;
  close(): Promise<void>;
}

// What a mesh file without `meshConfig` gets: Istio's defaults, and access logs, which go to the log directory.
const DEFAULT_MESH_CONFIG = 'accessLogFile: /dev/stdout\n';

const STOP_GRACE_MS = 4_000;

/**
 * Runs a whole mesh from its file: the control plane, then every proxy, and each application as soon as its
 * proxy is ready. Resolves when all proxies acknowledged their configuration and all applications listen.
 * On failure everything that was started is stopped again.
 */
export async function runMesh(options: UpOptions): Promise<RunningMesh> {
  const stop = new StopStack();
  const interrupted = options.stopped.then(() => {
    throw new FlotillaError('system', 'interrupted before the mesh was ready');
  });
  try {
    return await Promise.race([startMesh(options, stop), interrupted]);
  } catch (error) {
    await stop.close();
    throw error;
  }
}

async function startMesh(options: UpOptions, stop: StopStack): Promise<RunningMesh> {
  const { file, clock, progress } = options;
  const startedMs = clock.monotonicMs();
  checkEnvoy(file, options.envoyPath);
  const plan = await planMesh(file, new PortAllocator(), options.anyPort);
  const directories = openDirectories(options);
  writeGenerated(join(directories.generated, 'services.yaml'), serviceDocuments(file));
  writeGenerated(join(directories.generated, 'workloads.yaml'), workloadDocuments(plan));
  writeGenerated(directories.defaultMeshConfig, DEFAULT_MESH_CONFIG);
  const reaper = openReaper();
  if (options.dataDirectory === null) reaper.removeAtEnd(directories.data);
  stop.push('reaper', () => reaper.close());
  const processes = createProcesses(options, plan, directories, reaper, stop);

  const watchdog = openWatchdog(clock, (lateMs) =>
    options.logger.warn('this process stood still; what did not answer meanwhile is not held against it', {
      lateMs: Math.round(lateMs),
    }),
  );
  stop.push('watchdog', () => watchdog.close());
  const adminToken = createAdminToken();
  const ready = await startControlPlaneProcess(processes, adminToken, options.beginAnew);
  if (ready.faults.length > 0) {
    throw new FlotillaError('invalid', `the configuration cannot be used:\n${ready.faults.join('\n')}`);
  }
  const context = { name: file.name, api: ready.api, adminToken, pid: process.pid, startedAtMs: clock.now() };
  stop.push('context', publishContext(context));
  progress(`control plane ready after ${secondsSince(startedMs, clock)} s`);

  const mesh = connectMesh({ api: ready.api, token: adminToken });
  stop.push('connection to the API', () => mesh.close());
  await Promise.all(plan.proxies.map((proxy) => startWorkload(processes, mesh, proxy, progress)));
  await mesh.waitForSync(1n);
  watchProcesses(processes, watchdog, ready.api, options.logger);
  return {
    plan,
    context,
    seconds: Number(secondsSince(startedMs, clock)),
    logDirectory: directories.logs,
    processes,
    close: () => stop.close(),
  };
}

async function startWorkload(
  processes: MeshProcesses,
  mesh: MeshClient,
  proxy: PlannedProxy,
  progress: (line: string) => void,
): Promise<void> {
  const { entry } = proxy;
  await startProxyProcess(processes, proxy, () => createWorkloadToken(mesh, entry));
  await waitUntilReady(proxy.adminPort, `${entry.name}/proxy`, processes);
  if (entry.kind === 'gateway') {
    progress(`gateway ${entry.name} ready`);
    return;
  }
  await startApplication(processes, proxy, entry);
  for (const port of proxy.ports) await waitUntilListening(port.appPort, `${entry.name}/application`, processes);
  progress(`${entry.name} ready`);
}

function openDirectories(options: UpOptions): Directories {
  const data =
    options.dataDirectory === null ? mkdtempSync(join(tmpdir(), 'flotilla-')) : resolve(options.dataDirectory);
  const directories = {
    data,
    generated: join(data, 'generated'),
    logs: join(data, 'logs'),
    defaultMeshConfig: join(data, 'mesh-config.yaml'),
  };
  try {
    for (const folder of [directories.generated, directories.logs]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new FlotillaError(
      'system',
      `the data directory ${data} cannot be written: ${FlotillaError.from(error).message}`,
      {
        cause: error,
        hint: 'Name another one with --data, or change its owner.',
      },
    );
  }
  return directories;
}

/** Whole or not at all: a full disk leaves what was there. */
function writeGenerated(path: string, content: string): void {
  try {
    replaceDurably(path, content);
  } catch (error) {
    throw FlotillaError.from(error, 'system').within(`cannot write ${path}`);
  }
}

function createProcesses(
  options: UpOptions,
  plan: MeshPlan,
  directories: Directories,
  reaper: Reaper,
  stop: StopStack,
): MeshProcesses {
  const { logger, clock } = options;
  return {
    plan,
    directories,
    envoyPath: options.envoyPath,
    clock,
    progress: options.progress,
    all: new Map(),
    logs: new Map(),
    spawn(name, spec) {
      const output = openProcessLog(join(directories.logs, logFileOf(name)), { ...options, name });
      const supervised = new SupervisedProcess({ ...spec, name, output }, { reaper, clock, logger });
      this.all.set(name, supervised);
      this.logs.set(name, output);
      stop.push(name, async () => {
        await supervised.stop(STOP_GRACE_MS);
        await output.close();
      });
      return supervised;
    },
  };
}

function secondsSince(startedMs: number, clock: Clock): string {
  return ((clock.monotonicMs() - startedMs) / 1000).toFixed(2);
}
