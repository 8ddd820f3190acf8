import type { SeparateMesh } from '../../apps/cli/src/journeys/services/separate-mesh.ts';
import { ASKED, type ChaosMesh, CLIENTS, DISKS, outputFileOf } from './mesh.ts';
import { Part } from './part.ts';

/** What faults are done to, by name: a program, a disk or a listener. */
export interface World {
  readonly mesh: SeparateMesh;
  /** Control plane and sidecars. */
  readonly parts: ReadonlyMap<string, Part>;
  /** By the name of the workload. */
  readonly applications: ReadonlyMap<string, Part>;
  /** Where each is mounted. */
  readonly disks: ReadonlyMap<string, string>;
  /** Ports at which each is reached. */
  readonly ports: ReadonlyMap<string, readonly number[]>;
  /** What `flotilla secrets` made. */
  readonly secrets: string;
  readonly clients: readonly { readonly name: string; readonly port: number }[];
  readonly services: readonly string[];
  /** Of all sidecars. */
  readonly accessLogs: readonly string[];
  close(): Promise<void>;
}

export function openWorld({ mesh, redis, redisPort, applications, data, logs, secrets }: ChaosMesh): World {
  const { workloads } = mesh;
  const programs = [mesh.citadel, mesh.galley, ...mesh.pilots, ...workloads.map(({ proxy }) => proxy)];
  const shippedRedis = {
    start: () => redis.restart(),
    end: (signal: 'SIGTERM' | 'SIGKILL') => redis.end(signal),
    signal: (signal: NodeJS.Signals) => redis.signal(signal),
    exited: () => redis.exited(),
  };
  const parts = [new Part('Redis', shippedRedis), ...programs.map((program) => new Part(program.name, program))];
  const applicationParts = [...applications].map(([name, program]) => new Part(name, program));
  const byName = (list: readonly Part[]) => new Map(list.map((part) => [part.name, part]));
  return {
    mesh,
    parts: byName(parts),
    applications: byName(applicationParts),
    disks: new Map([
      [DISKS.redis, data],
      [DISKS.logs, logs],
    ]),
    ports: new Map<string, readonly number[]>([
      ['Redis', [redisPort]],
      ...[...mesh.addresses].map(([name, addresses]) => [name, addresses.map(portOf)] as const),
      ...workloads.map(({ name, inboundPort, httpProxyPort }) => [name, [inboundPort, httpProxyPort]] as const),
    ]),
    secrets,
    clients: workloads
      .filter(({ service }) => service === CLIENTS)
      .map(({ name, httpProxyPort }) => ({ name, port: httpProxyPort })),
    services: ASKED,
    accessLogs: workloads.map(({ name }) => outputFileOf(logs, name)),
    close: async () => {
      for (const part of [...parts, ...applicationParts]) part.release();
      await mesh.stop();
    },
  };
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
