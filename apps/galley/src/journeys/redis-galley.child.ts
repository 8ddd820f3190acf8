// A galley on Redis: prints its URL when it serves, and ends with its standard input. Run by redis-kill-9.spec.ts.
import { createRedisBus } from '@flotilla/bus';
import { createLogger } from '@flotilla/observe';
import { openRedis, redisSettings } from '@flotilla/redis';
import { serveRpc } from '@flotilla/rpc';
import { systemClock } from '@flotilla/runtime';
import { openInventory } from '@flotilla/runtime/disk';
import { startGalley } from '../start.ts';

process.stdin.resume().on('end', () => process.exit(0));
const logger = await createLogger({ name: 'galley', format: 'json', level: 'error' });
const connection = openRedis({ settings: redisSettings({ url: process.argv[2] ?? '' }), logger });
const galley = await startGalley({
  store: { kind: 'redis', connection, inventory: openInventory({ places: [], beginAnew: ['store:first'] }) },
  bus: createRedisBus({ connection, logger }),
  directories: [],
  access: { read: () => undefined, write: () => 'anything' },
  logger,
  clock: systemClock,
});
const served = await serveRpc({ address: { host: '127.0.0.1', port: 0 }, routes: galley.routes, logger });
process.stdout.write(`${served.url}\n`);
