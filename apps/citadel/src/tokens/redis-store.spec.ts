import { silentLogger } from '@flotilla/observe';
import { openRedis, redisSettings } from '@flotilla/redis';
import { type RedisServer, startRedisServer, withPeer } from '@flotilla/testing';
import { afterAll, beforeAll } from 'vitest';
import { createRedisTokenStore } from './redis-store.ts';
import { tokenStoreSuite } from './token-store.suite.ts';

withPeer('redis-server', (program) => {
  let server: RedisServer;
  let meshes = 0;
  beforeAll(async () => {
    server = await startRedisServer({ program });
  });
  afterAll(() => server.close());

  tokenStoreSuite('Redis', async () => {
    const keyPrefix = `mesh-${++meshes}`;
    const open = async () => {
      const connection = openRedis({ settings: redisSettings({ url: server.url, keyPrefix }), logger: silentLogger });
      await connection.waitUntilReady();
      return { ...createRedisTokenStore(connection), close: () => connection.close() };
    };
    let store = await open();
    return {
      store,
      async reopen() {
        await store.close();
        store = await open();
        return store;
      },
    };
  });
});
