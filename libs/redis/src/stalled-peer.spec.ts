import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openRedis } from './connection.ts';
import { redisSettings } from './settings.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const WAIT = { timeout: 10_000, interval: 10 };

const INFO = 'redis_version:7.0.0\r\nloading:0\r\n';

/** As much of Redis as a connection needs to be ready; from `stall` on every command is answered by that alone. */
async function startPeer() {
  let stall: ((socket: Socket) => void) | null = null;
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    cleanups.push(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      if (stall !== null) stall(socket);
      else if (/info/i.test(bytes.toString())) socket.write(`$${INFO.length}\r\n${INFO}\r\n`);
      else socket.write('+PONG\r\n');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(() => server.close());
  const clock = new FakeClock();
  const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connection = openRedis({ settings: redisSettings({ url }), logger: silentLogger, clock, random: () => 0.5 });
  cleanups.push(() => connection.close());
  return {
    clock,
    connection,
    accepted: () => accepted,
    stallBy: (how: typeof stall) => (stall = how),
  };
}

describe('a Redis that was there and', () => {
  it.each([
    ['says nothing any more', () => undefined],
    ['answers a byte now and then', (socket: Socket) => socket.write('+')],
  ])('%s is given up, and connected to again when it is back', async (_, stall) => {
    const { clock, connection, stallBy, accepted } = await startPeer();
    await connection.waitUntilReady();
    stallBy(stall);
    const call = connection.call('GET', 'a').catch((error: unknown) => error);
    clock.advance(5_000);
    clock.advance(10_000);
    expect(await call).toMatchObject({ code: 'unavailable', mayBeDone: true });
    await vi.waitFor(() => expect(connection.waitingFor).toMatch(/no answer to PING within 10 s/));
    stallBy(null);
    await vi.waitFor(() => {
      clock.advance(1_000);
      expect(connection.isConnected).toBe(true);
    }, WAIT);
    expect(accepted()).toBe(2);
  });

  it('answers garbage is given up', async () => {
    const { connection, stallBy } = await startPeer();
    await connection.waitUntilReady();
    stallBy((socket) => socket.write(Buffer.alloc(64, 0xff)));
    expect(await connection.call('GET', 'a').catch((error: unknown) => error)).toMatchObject({ code: 'unavailable' });
    await vi.waitFor(() => expect(connection.isConnected).toBe(false));
  });
});

it('a Redis that never gets ready is given up in the end', async () => {
  const { clock, connection, stallBy } = await startPeer();
  stallBy((socket) => socket.write('+'));
  await vi.waitFor(() => {
    clock.advance(1_000);
    expect(connection.waitingFor).toMatch(/not ready within 20 s/);
  }, WAIT);
});
