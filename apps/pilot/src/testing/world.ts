import { readFileSync } from 'node:fs';
import { createClient, type Transport } from '@connectrpc/connect';
import { silentLogger } from '@flotilla/observe';
import { createInMemoryTransport } from '@flotilla/rpc';
import { systemClock } from '@flotilla/runtime';
import { meshConfig } from '@flotilla/translate/testing';
import { PilotService, type ProxyStatus } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { type Pilot, type PilotOptions, startPilot } from '../pipeline.ts';
import { FakeGalley } from './fake-galley.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

export interface World {
  readonly galley: FakeGalley;
  readonly pilot: Pilot<typeof LOOPBACK>;
  readonly api: Transport;
  proxies(): Promise<readonly ProxyStatus[]>;
  close(): Promise<void>;
}

/** A pilot over real sockets, with a galley in this process. */
export async function startWorld(
  yaml: string,
  options: Partial<PilotOptions<typeof LOOPBACK>> = {},
  galley = new FakeGalley(),
): Promise<World> {
  if (yaml !== '') galley.write(yaml);
  const pilot = await startPilot({
    galley: galley.transport,
    bus: galley.bus,
    xds: LOOPBACK,
    xdsTls: null,
    identity: null,
    trustDomain: 'cluster.local',
    meshConfig: meshConfig({}),
    debounce: { quietMs: 1, maxMs: 20 },
    logger: silentLogger,
    clock: systemClock,
    random: () => 0.5,
    ...options,
  });
  const api = createInMemoryTransport(pilot.routes);
  const client = createClient(PilotService, api);
  return {
    galley,
    pilot,
    api,
    proxies: async () => (await client.listProxies({})).proxies,
    close: () => pilot.close(),
  };
}

/** A file of Istio's samples. */
export function sample(corpus: string, path: string): string {
  return readFileSync(`${corpus}/istio-samples/${path}`, 'utf8');
}
