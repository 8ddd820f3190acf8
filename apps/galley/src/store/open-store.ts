import type { RedisConnection } from '@flotilla/redis';
import type { ConfigStore } from './config-store.ts';
import { openRedisStore } from './redis.ts';
import { openSqliteStore } from './sqlite.ts';

export type StoreOptions =
  | { readonly kind: 'sqlite'; readonly path: string }
  /** The connection is not closed with the store. */
  | { readonly kind: 'redis'; readonly connection: RedisConnection };

/** Throws `system`, `invalid` or `unavailable` as the store itself does. */
export async function openStore(options: StoreOptions, changeLogLimit?: number): Promise<ConfigStore> {
  const limit = changeLogLimit === undefined ? {} : { changeLogLimit };
  return options.kind === 'sqlite'
    ? openSqliteStore({ path: options.path, ...limit })
    : openRedisStore({ connection: options.connection, ...limit });
}
