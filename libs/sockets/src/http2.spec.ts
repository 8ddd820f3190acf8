import { type EventEmitter, once } from 'node:events';
import type { ServerHttp2Session } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { FakeClock } from '@flotilla/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { closeFollows } from './errors.ts';
import { connectHttp2, createHttp2Server, KeepAlivePing, openHttp2Stream } from './http2.ts';
import { connectTcp } from './tcp.ts';

const KEEP_ALIVE = { intervalMs: 10_000, timeoutMs: 5_000 };

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A peer that accepts, and then does what `serve` does. */
async function peer(serve: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    cleanups.push(() => socket.destroy());
    serve(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const closed = (it: Pick<EventEmitter, 'once'>) => new Promise<void>((resolve) => it.once('close', () => resolve()));

function open(port: number) {
  const errors: Error[] = [];
  const session = connectHttp2(
    `http://127.0.0.1:${port}`,
    { createConnection: () => connectTcp({ port, host: '127.0.0.1' }, closeFollows) },
    (error) => errors.push(error),
  );
  return { session, errors };
}

describe('a client of HTTP/2', () => {
  it.each([
    ['in another protocol', (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['with frames that are none', (socket: Socket) => socket.write(Buffer.alloc(64, 0xff))],
    ['with the end of the connection', (socket: Socket) => socket.end()],
    ['with a reset', (socket: Socket) => socket.resetAndDestroy()],
  ])('that is answered %s closes, streams and all', async (_, serve) => {
    const { session } = open(await peer((socket) => socket.once('data', () => serve(socket))));
    const stream = openHttp2Stream(session, { ':path': '/' }, {}, closeFollows);
    await Promise.all([closed(stream), closed(session)]);
  });

  it('whose peer stands still asks it, and closes without an answer', async () => {
    const clock = new FakeClock();
    const { session, errors } = open(await peer((socket) => socket.pause()));
    await once(session, 'connect');
    const reason = new Error('stands still');
    KeepAlivePing.start(session, KEEP_ALIVE, clock, () => session.destroy(reason));
    const failures: Error[] = [];
    const stream = openHttp2Stream(session, { ':path': '/' }, {}, (error) => failures.push(error));
    clock.advance(KEEP_ALIVE.intervalMs + KEEP_ALIVE.timeoutMs - 1);
    expect(session.destroyed).toBe(false);
    clock.advance(1);
    await Promise.all([closed(stream), closed(session)]);
    expect([failures, errors]).toEqual([[reason], [reason]]);
  });

  it('whose peer answers goes on', async () => {
    const clock = new FakeClock();
    const server = createHttp2Server(
      {},
      { onError: closeFollows, onSessionError: closeFollows, keepAlive: { ...KEEP_ALIVE, clock } },
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    cleanups.push(() => server.close());
    const { session } = open((server.address() as AddressInfo).port);
    cleanups.push(() => session.destroy());
    await once(session, 'remoteSettings');
    KeepAlivePing.start(session, KEEP_ALIVE, clock);
    for (let round = 0; round < 3; round++) {
      const answered = once(session, 'ping');
      clock.advance(KEEP_ALIVE.intervalMs);
      await answered;
      // Our own question went out before the server's was heard: this one is answered after it.
      await new Promise((resolve) => session.ping(resolve));
      clock.advance(KEEP_ALIVE.timeoutMs - 1);
    }
    expect(session.destroyed).toBe(false);
  });
});

describe('a server of HTTP/2', () => {
  it('lets go of a client that stands still, with what it was sent', async () => {
    const clock = new FakeClock();
    const server = createHttp2Server(
      {},
      { onError: closeFollows, onSessionError: closeFollows, keepAlive: { ...KEEP_ALIVE, clock } },
    );
    server.on('request', (_request, response) => response.write(Buffer.alloc(1024 * 1024)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    cleanups.push(() => server.close());
    // A whole request by hand, after which nothing is read or said.
    const { port } = server.address() as AddressInfo;
    const client = connectTcp({ port, host: '127.0.0.1' }, closeFollows).pause();
    cleanups.push(() => client.destroy());
    client.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    // SETTINGS, and HEADERS of GET / on stream 1.
    client.write(Buffer.from('000000040000000000' + '000003010500000001' + '828486', 'hex'));
    const [session] = (await once(server, 'session')) as [ServerHttp2Session];
    clock.advance(KEEP_ALIVE.intervalMs + KEEP_ALIVE.timeoutMs - 1);
    expect(session.destroyed).toBe(false);
    const ended = closed(session);
    clock.advance(1);
    await ended;
  });
});
