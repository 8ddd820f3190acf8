import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@flotilla/testing';
import { until } from '../../apps/cli/src/journeys/services/poll.ts';
import { OwnProcess } from '../../apps/cli/src/journeys/services/process.ts';
import { SeparateMesh } from '../../apps/cli/src/journeys/services/separate-mesh.ts';
import { ShippedRedis } from '../../apps/cli/src/journeys/services/shipped-redis.ts';
import type { Roster } from './plan.ts';

/** Services that are asked; a further one has the clients. */
export const ASKED = ['svc-0', 'svc-1', 'svc-2'];
export const CLIENTS = 'svc-3';
const SERVICES = ASKED.length + 1;
const INSTANCES = 2;
const PILOTS = 2;
const DISK_MIB = 256;
// Renewed at half of it: no fault and its neighbour last as long as the other half.
const CERTIFICATE_TTL = '3m';
const CONTROL = ['Redis', 'citadel', 'galley', ...Array.from({ length: PILOTS }, (_, at) => `pilot-${at}`)];
export const DISKS = { redis: 'disk of Redis', logs: 'disk of logs' };

/** As SeparateMesh names them. */
const WORKLOADS = Array.from({ length: SERVICES * INSTANCES }, (_, at) => `svc-${at % SERVICES}-${at}`);

/** What there is in every mesh of this kind. */
export const ROSTER: Roster = {
  control: CONTROL,
  instances: WORKLOADS.filter((name) => !name.startsWith(CLIENTS)),
  disks: Object.values(DISKS),
  listeners: [...CONTROL.slice(1), ...WORKLOADS],
};

/** The access log tells which instance a request that failed was for. */
const MESH_CONFIG = {
  accessLogFile: '/dev/stdout',
  accessLogEncoding: 'JSON',
  accessLogFormat: JSON.stringify({
    number: '%REQ(X-CHAOS-REQUEST)%',
    code: '%RESPONSE_CODE%',
    flags: '%RESPONSE_FLAGS%',
    details: '%RESPONSE_CODE_DETAILS%',
    upstream: '%UPSTREAM_HOST%',
    attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
    start: '%START_TIME%',
    durationMs: '%DURATION%',
  }),
};

export interface ChaosMesh {
  readonly mesh: SeparateMesh;
  readonly redis: ShippedRedis;
  readonly redisPort: number;
  /** By the name of the workload. */
  readonly applications: ReadonlyMap<string, OwnProcess>;
  /** Where Redis keeps its data, and where every process writes: disks of their own. */
  readonly data: string;
  readonly logs: string;
  /** What `flotilla secrets` made. */
  readonly secrets: string;
}

/** Starts it, in a mount namespace that must be this process's own, below `folder`. */
export async function startChaosMesh(folder: string, redisProgram: string): Promise<ChaosMesh> {
  const [data, logs] = [mountDisk(join(folder, 'redis')), mountDisk(join(folder, 'logs'))];
  const outputFile = (name: string) => outputFileOf(logs, name);
  const meshConfig = join(folder, 'mesh-config.yaml');
  writeFileSync(meshConfig, JSON.stringify(MESH_CONFIG));
  const applications = new Map<string, OwnProcess>();
  const redisPort = await freePort();
  const started: { redis: ShippedRedis; secrets: string }[] = [];
  const mesh = await SeparateMesh.start({
    redis: async (scratch) => {
      const secrets = join(scratch, 'secrets');
      const redis = new ShippedRedis({ program: redisProgram, port: redisPort, directory: data, secrets });
      started.push({ redis, secrets });
      await redis.restart();
      return redis;
    },
    pilots: PILOTS,
    services: SERVICES,
    workloads: SERVICES * INSTANCES,
    certificateTtl: CERTIFICATE_TTL,
    outputFile,
    pilotSettings: ['--mesh-config', meshConfig],
    startApplication: async (name) => {
      const port = await freePort();
      const program = await startApplication(name, port, outputFile(`${name}-application`));
      applications.set(name, program);
      return { port, close: () => program.signal('SIGKILL') };
    },
  });
  const [first] = started;
  if (first === undefined) throw new Error('the mesh started no Redis');
  return { mesh, ...first, redisPort, applications, data, logs };
}

/** File of what a process wrote. */
export function outputFileOf(logs: string, process: string): string {
  return join(logs, `${process}.log`);
}

async function startApplication(name: string, port: number, outputFile: string): Promise<OwnProcess> {
  const file = join(import.meta.dirname, 'application-main.ts');
  const program = new OwnProcess(name, [process.execPath, file, name, String(port)], { outputFile }).start();
  await until(`${name} answers`, async () => (await fetch(`http://127.0.0.1:${port}/`)).ok);
  return program;
}

/** A disk of its own, which ends with the mount namespace. */
function mountDisk(path: string): string {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'flotilla-chaos', path]);
  return path;
}
