import type { World } from '../world.ts';
import { type Fault, partsOf } from './fault.ts';

/**
 * `kill -9` of one of the instances of a workload: of its sidecar, or of its application too, as when its machine dies. Its
 * application comes back before its sidecar, as platforms start them.
 */
export const instance: Fault = async (world, step) => {
  if (!(await areOthersServing(world, step.targets))) return null;
  const { parts, applications } = world;
  const isWhole = step.chance < 0.5;
  const killed = [...partsOf(parts, step), ...(isWhole ? partsOf(applications, step) : [])];
  await Promise.all(killed.map((part) => part.down('SIGKILL')));
  return {
    heal: async () => {
      for (const part of killed.toReversed()) await part.up();
    },
  };
};

/** Whether every client has all other instances among its endpoints, and all of them answer. */
async function areOthersServing({ mesh, clients }: World, killed: readonly string[]): Promise<boolean> {
  const services = mesh.workloads.filter(({ name }) => killed.includes(name)).map(({ service }) => service);
  const others = mesh.workloads.filter(({ name, service }) => services.includes(service) && !killed.includes(name));
  const asking = mesh.workloads.filter(({ name }) => clients.some((client) => client.name === name));
  const known = await Promise.all(asking.map(({ admin }) => textOf(`${admin}/clusters`)));
  const ready = await Promise.all(others.map(({ admin }) => textOf(`${admin}/ready`)));
  return (
    ready.every((text) => text.startsWith('LIVE')) &&
    others.every(({ inboundPort }) => known.every((text) => text.includes(`:${inboundPort}::`)))
  );
}

/** Empty when nobody answers. */
async function textOf(url: string): Promise<string> {
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).text();
  } catch {
    return '';
  }
}
