import { dirname, resolve } from 'node:path';
import type { Logger } from '@flotilla/observe';
import type { RedisConnection } from '@flotilla/redis';
import { FlotillaError } from '@flotilla/runtime';
import { type Inventory, openInventory } from '@flotilla/runtime/disk';
import type { ConfigStore } from './config-store.ts';
import { openKnownStore } from './known-store.ts';
import { openRedisStore } from './redis.ts';
import { openSqliteStore } from './sqlite.ts';

export type StoreOptions =
  /** Without an inventory it is remembered in the directory of the file. */
  | { readonly kind: 'sqlite'; readonly path: string; readonly inventory?: Inventory }
  /** The connection is not closed with the store. */
  | { readonly kind: 'redis'; readonly connection: RedisConnection; readonly inventory: Inventory };

export interface OpenStoreOptions {
  readonly changeLogLimit?: number;
  readonly logger: Logger;
}

/**
 * Opens the store that the inventory remembers, or makes the first one. Throws `invalid` for another one, and when it
 * is not there any more; `system`, `invalid` or `unavailable` as the store itself does.
 */
export async function openStore(
  options: StoreOptions,
  { changeLogLimit, logger }: OpenStoreOptions,
): Promise<ConfigStore> {
  const limit = changeLogLimit === undefined ? {} : { changeLogLimit };
  if (options.kind === 'sqlite') {
    const { path, inventory = inventoryBeside(path) } = options;
    const onAbsent = (): void => inventory.check('store', [], path);
    return openKnownStore(openSqliteStore({ path, onAbsent, ...limit }), { inventory, where: path, logger });
  }
  const { connection, inventory } = options;
  const where = `Redis, under ${connection.key('*')},`;
  const onAbsent = (): void => inventory.check('store', [], where);
  const store = await openRedisStore({ connection, onAbsent, ...limit });
  return openKnownStore(store, { inventory, where, logger });
}

function inventoryBeside(path: string): Inventory {
  if (path === ':memory:') return openInventory({ places: [], beginAnew: ['store:first'] });
  try {
    return openInventory({ places: [dirname(resolve(path))] });
  } catch (error) {
    throw FlotillaError.from(error).within(`cannot open the configuration store ${path}`);
  }
}
