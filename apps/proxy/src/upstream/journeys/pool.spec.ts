import { afterEach, describe, expect, it } from 'vitest';
import { answering, get, OK, openWorld, type RawServer, send, startRawServer, staticCluster } from './world.ts';

const servers: RawServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(...args: Parameters<typeof startRawServer>): Promise<RawServer> {
  const server = await startRawServer(...args);
  servers.push(server);
  return server;
}

describe('connections are used again', () => {
  it('sends one request after another on one connection', async () => {
    const server = await start(answering(OK));
    const world = openWorld();
    world.manager.apply(staticCluster([server.port]));
    for (let index = 0; index < 5; index++) expect((await send(world.cluster(), get('/x'))).body).toBe('ok');
    expect(server.sockets).toHaveLength(1);
    expect(world.value('cluster.c.upstream_cx_total')).toBe(1);
    expect(world.value('cluster.c.upstream_rq_total')).toBe(5);
    expect(world.value('cluster.c.upstream_rq_200')).toBe(5);
    expect(world.value('cluster.c.upstream_rq_active')).toBe(0);
    world.manager.close();
  });
});
