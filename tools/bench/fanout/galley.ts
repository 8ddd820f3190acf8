/** Galley on Redis as a process of the benchmark: argument 1 is Redis's URL. */
import { createRedisBus } from '@flotilla/bus';
import { startGalley } from '@flotilla/galley';
import { silentLogger } from '@flotilla/observe';
import { openRedis, redisSettings } from '@flotilla/redis';
import { serveRpc } from '@flotilla/rpc';
import { systemClock } from '@flotilla/runtime';
import { openInventory } from '@flotilla/runtime/disk';
import { now, tell } from './messages.ts';

process.once('disconnect', () => process.exit());
const connection = openRedis({ settings: redisSettings({ url: process.argv[2] ?? '' }), logger: silentLogger });
const bus = createRedisBus({ connection, logger: silentLogger });
const galley = await startGalley({
  store: { kind: 'redis', connection, inventory: openInventory({ places: [], beginAnew: ['store:first'] }) },
  bus: {
    subscribe: (...listeners) => bus.subscribe(...listeners),
    close: () => bus.close(),
    publish(announcement) {
      tell({ type: 'committed', version: announcement.version, at: now() });
      return bus.publish(announcement);
    },
  },
  directories: [],
  access: { read: () => undefined, write: () => 'anything' },
  logger: silentLogger,
  clock: systemClock,
});
const server = await serveRpc({ address: { host: '127.0.0.1', port: 0 }, routes: galley.routes, logger: silentLogger });
tell({ type: 'galley', url: server.url });
