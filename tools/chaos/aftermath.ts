import { request } from 'node:http';
import type { AcknowledgedWrites } from '../../apps/cli/src/journeys/services/acknowledged-writes.ts';
import { until } from '../../apps/cli/src/journeys/services/poll.ts';
import { SERVICE_PORT } from '../../apps/cli/src/journeys/services/separate-mesh.ts';
import { CHANGE_HEADER } from './change.ts';
import type { World } from './world.ts';

const RECOVERS_WITHIN_MS = 60_000;

/**
 * What is not as it should be when all faults are over: the store from disk, as Redis and galley find it after `kill -9` of
 * both; all parts ready; every proxy in sync; answers that carry the last changes. Empty is right.
 */
export async function faultsAfterwards(world: World, writes: AcknowledgedWrites): Promise<readonly string[]> {
  const { mesh, parts } = world;
  const forgetful = ['galley', 'Redis'].flatMap((name) => parts.get(name) ?? []);
  await Promise.all(forgetful.map((part) => part.down('SIGKILL')));
  await Promise.all(forgetful.map((part) => part.up()));
  const checks: readonly (readonly [string, () => Promise<boolean>])[] = [
    ['all proxies are in sync', async () => (await mesh.syncedAt())?.proxies === mesh.workloads.length],
    ['galley has every acknowledged write', async () => (await writes.lost()).length === 0],
    ['every client sees the last changes', async () => (await staleAnswers(world, writes)).length === 0],
  ];
  const faults: string[] = [];
  for (const service of [mesh.citadel, mesh.galley, ...mesh.pilots]) {
    await mesh.ready(service).catch((error: unknown) => faults.push(String(error)));
  }
  for (const [what, holds] of checks) {
    await until(what, holds, RECOVERS_WITHIN_MS).catch((error: unknown) =>
      faults.push(`not so afterwards: ${String(error)}`),
    );
  }
  return faults;
}

/** Pairs of client and service whose answers do not carry the last acknowledged change, or one that came after. */
async function staleAnswers({ clients, services }: World, writes: AcknowledgedWrites): Promise<readonly string[]> {
  const pairs = clients.flatMap((client) => services.map((service) => ({ ...client, service })));
  const seen = await Promise.all(pairs.map(({ port, service }) => changeSeen(port, service)));
  return pairs
    .filter(({ service }, at) => (seen[at] ?? -1) < (writes.acknowledged.get(service) ?? 0))
    .map(({ name, service }) => `${name} to ${service}`);
}

/** Null for an answer without one, and for none. */
function changeSeen(port: number, service: string): Promise<number | null> {
  const authority = `${service}:${SERVICE_PORT}`;
  return new Promise((resolve) => {
    const headers = { host: authority };
    const call = request(
      { host: '127.0.0.1', port, path: `http://${authority}/`, agent: false, headers },
      (response) => {
        response.resume();
        const value = response.headers[CHANGE_HEADER];
        resolve(typeof value === 'string' ? Number(value) : null);
      },
    );
    call.once('error', () => resolve(null));
    call.end();
  });
}
