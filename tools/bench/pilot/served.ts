/** Flotilla's pilot as a process of the benchmark: arguments are galley's URL, the xDS port, the ready port, the debounce in ms. */
import { createServer } from 'node:http';
import { loadMeshConfig, startPilot } from '@flotilla/pilot';
import { silentLogger } from '@flotilla/observe';
import { createRpcTransport } from '@flotilla/rpc/client';
import { systemClock } from '@flotilla/runtime';
import { createWatchBus } from '../../../apps/pilot/src/ingest/watch-bus.ts';

const [galleyUrl = '', xdsPort = '', readyPort = '', quietMs = ''] = process.argv.slice(2);
const galley = createRpcTransport({ url: galleyUrl });
const parts = { galley, clock: systemClock, random: Math.random, logger: silentLogger };
const pilot = await startPilot({
  ...parts,
  bus: createWatchBus(parts),
  xds: { host: '127.0.0.1', port: Number(xdsPort) },
  xdsTls: null,
  identity: null,
  trustDomain: 'cluster.local',
  meshConfig: await loadMeshConfig(null),
  debounce: { quietMs: Number(quietMs), maxMs: 10_000 },
  // All proxies of the benchmark come from one address.
  limits: { identityStreams: 100_000 },
});
// A profile is written by a process that ends by itself.
process.once('SIGTERM', () => process.exit());
await pilot.ready;
createServer((_, response) => response.end('ready')).listen(Number(readyPort), '127.0.0.1');
