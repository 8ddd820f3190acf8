import type { MeshProcesses } from './mesh-processes.ts';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';
import { reasonOf } from '@flotilla/runtime/disk';
import { withoutSettings } from '@flotilla/service/settings';
import type { WorkloadEntry } from '../mesh-file/mesh-file.ts';
import type { SupervisedProcess } from '../supervisor/supervised.ts';
import { agentArguments } from './agent-arguments.ts';
import { applicationArguments, applicationEnvironment, type PlannedProxy } from './plan.ts';

/** What `flotilla control-plane` prints when it is ready. */
export interface ControlPlaneReady {
  readonly ready: true;
  readonly xds: string;
  readonly xdsTls: string;
  readonly ca: string;
  readonly api: string;
  /** File with the roots that the control plane's certificates chain to. */
  readonly rootsFile: string;
  /** Errors in the configuration directories. */
  readonly faults: readonly string[];
}

const LOOPBACK = '127.0.0.1';
const LOG_TAIL_LINES = 12;
const READY_DEADLINE_MS = 30_000;
/** The script that this process runs: children run the same, bundle or TypeScript. */
const flotillaProgram = process.argv[1] ?? '';

/** Starts the control plane and resolves with its addresses. Throws `system` when it ends or does not get ready. */
export async function startControlPlaneProcess(
  processes: MeshProcesses,
  adminToken: string,
  beginAnew: readonly string[],
): Promise<ControlPlaneReady> {
  const { plan, directories } = processes;
  const { file, controlPlane } = plan;
  let settle: (ready: ControlPlaneReady) => void = () => undefined;
  const ready = new Promise<ControlPlaneReady>((done) => (settle = done));
  const supervised = processes.spawn('control-plane', {
    program: process.execPath,
    args: [
      flotillaProgram,
      'control-plane',
      ...[...file.configDirectories, directories.generated].flatMap((directory) => ['-f', directory]),
      ...['--mesh-config', file.meshConfigFile ?? directories.defaultMeshConfig],
      ...['--data', directories.data, '--trust-domain', file.trustDomain],
      ...['--max-certificate-ttl', `${file.certificateTtlMs}ms`],
      ...['--xds', `${LOOPBACK}:${controlPlane.xds}`, '--xds-tls', `${LOOPBACK}:${controlPlane.xdsTls}`],
      ...['--ca', `${LOOPBACK}:${controlPlane.ca}`, '--api', `${LOOPBACK}:${controlPlane.api}`],
      ...beginAnew.flatMap((part) => ['--begin-anew', part]),
      '--unlisted',
    ],
    env: { ...process.env, FLOTILLA_ADMIN_TOKEN: adminToken },
    directory: process.cwd(),
    onLine(line) {
      // The program's own contract: one line on standard output, this JSON.
      if (line.startsWith('{"ready":true')) settle(JSON.parse(line) as ControlPlaneReady);
    },
    onErrorLine(line) {
      // What is wrong with a watched file must reach whoever saved it.
      if (/\b(WARN|ERROR)\b/.test(line)) processes.progress(line);
    },
  });
  await supervised.start();
  return orFailure(ready, supervised, processes);
}

/** `createToken` is asked at every start: a token is good for one. */
export async function startProxyProcess(
  processes: MeshProcesses,
  proxy: PlannedProxy,
  createToken: () => Promise<string>,
): Promise<void> {
  const { entry } = proxy;
  await processes
    .spawn(`${entry.name}/proxy`, {
      program: process.execPath,
      args: [flotillaProgram, 'agent', ...agentArguments(processes, proxy)],
      env: async () => ({ ...withoutSettings(process.env), FLOTILLA_TOKEN: await createToken() }),
      directory: process.cwd(),
    })
    .start();
}

export async function startApplication(
  processes: MeshProcesses,
  proxy: PlannedProxy,
  entry: WorkloadEntry,
): Promise<void> {
  const env = applicationEnvironment(proxy, entry);
  await processes
    .spawn(`${entry.name}/application`, {
      program: proxy.program ?? entry.command[0],
      args: applicationArguments(entry, env),
      env,
      directory: entry.directory,
    })
    .start();
}

function orFailure<T>(ready: Promise<T>, supervised: SupervisedProcess, processes: MeshProcesses): Promise<T> {
  const { clock } = processes;
  return new Promise((done, fail) => {
    const deadline = clock.after(
      READY_DEADLINE_MS,
      () =>
        fail(new FlotillaError('unavailable', `the control plane was not ready within ${READY_DEADLINE_MS / 1000} s`)),
      { keepAlive: true },
    );
    supervised.onFirstExit(() => {
      deadline.cancel();
      void lastWords(processes, 'control-plane').then((words) =>
        fail(new FlotillaError('system', `the control plane ended while starting; it said last:\n${words}`)),
      );
    });
    void ready.then((value) => {
      deadline.cancel();
      done(value);
    });
  });
}

/** What a process said last. The log directory may be gone by the time that somebody reads about it. */
export async function lastWords({ directories, logs }: MeshProcesses, name: string): Promise<string> {
  const path = join(directories.logs, logFileOf(name));
  try {
    await logs.get(name)?.flush();
    const text = (await readFile(path, 'utf8')).trimEnd();
    return text === '' ? '(nothing)' : text.split('\n').slice(-LOG_TAIL_LINES).join('\n');
  } catch (error) {
    return `(${path} cannot be read: ${reasonOf(error)})`;
  }
}

/** `reviews-v1/proxy` logs to `reviews-v1.proxy.log`. */
export function logFileOf(name: string): string {
  return `${name.replace('/', '.')}.log`;
}
