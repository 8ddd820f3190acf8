import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openUpstream, request, type Upstream } from './peers.ts';
import { httpListener, openWorld, route, type World } from './world.ts';

let world: World;
let application: Upstream;
let neighbour: Upstream;
let inbound: number;
let outbound: number;
const waiting = Promise.withResolvers<() => void>();

beforeEach(async () => {
  world = openWorld();
  neighbour = await openUpstream();
  // Answers when it is told to, with what it gets of its neighbour through its own proxy.
  application = await openUpstream(({ socket }) =>
    waiting.resolve(() => {
      void request(outbound, 'GET /').then(({ status }) =>
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n${status}`),
      );
    }),
  );
  world.cluster('application', [application.port]);
  world.cluster('neighbour', [neighbour.port]);
  const listen = (name: string, cluster: string, trafficDirection: string) =>
    world.listen({ ...httpListener([route('/', { cluster })]), name, trafficDirection });
  inbound = await listen('inbound', 'application', 'INBOUND');
  outbound = await listen('outbound', 'neighbour', 'OUTBOUND');
});

afterEach(async () => {
  await world.close();
  await application.close();
  await neighbour.close();
});

describe('a proxy that shuts down', () => {
  it('takes nothing more from outside, and serves its application until the last request from outside is done', async () => {
    const answer = request(inbound, 'GET /');
    const finish = await waiting.promise;
    const shutDown = world.listeners.shutDown(5_000);
    await expect(request(inbound, 'GET /')).rejects.toThrow('ECONNREFUSED');
    finish();
    expect(await answer).toMatchObject({ status: 200, body: '200', headers: { connection: 'close' } });
    await world.passTimeUntil(shutDown);
    await expect(request(outbound, 'GET /')).rejects.toThrow('ECONNREFUSED');
  });

  it('takes no listener into service again', async () => {
    await world.listeners.shutDown(0);
    await expect(world.listen(httpListener([route('/', { cluster: 'neighbour' })]))).rejects.toThrow('is stopping');
  });
});
