/** A pilot as a process of the benchmark: arguments are Redis's URL, galley's URL and the debounce in milliseconds. */
import { createRedisBus } from '@flotilla/bus';
import { loadMeshConfig, startPilot } from '@flotilla/pilot';
import { silentLogger } from '@flotilla/observe';
import { openRedis, redisSettings } from '@flotilla/redis';
import { createRpcTransport } from '@flotilla/rpc/client';
import { systemClock } from '@flotilla/runtime';
import { now, tell } from './messages.ts';

process.once('disconnect', () => process.exit());
const [redisUrl = '', galleyUrl = '', quietMs = '0'] = process.argv.slice(2);
const connection = openRedis({ settings: redisSettings({ url: redisUrl }), logger: silentLogger });
const bus = createRedisBus({ connection, logger: silentLogger });
await connection.waitUntilReady();
await bus.subscribe(({ version }) => tell({ type: 'notified', version, at: now() }));
const pilot = await startPilot({
  galley: createRpcTransport({ url: galleyUrl }),
  bus,
  xds: { host: '127.0.0.1', port: 0 },
  xdsTls: null,
  identity: null,
  trustDomain: 'cluster.local',
  meshConfig: await loadMeshConfig(null),
  debounce: { quietMs: Number(quietMs), maxMs: 10_000 },
  logger: silentLogger,
  clock: systemClock,
});
await pilot.ready;
tell({ type: 'pilot', xdsPort: pilot.xds.port });
