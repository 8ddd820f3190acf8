import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createClient } from '@connectrpc/connect';
import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { Health } from '@flotilla/wire/grpc/health/v1/health_pb.js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createRpcTransport } from '../client.ts';
import { fromConnectError } from '../errors.ts';
import { serveRpc } from '../server.ts';
import { scratchRoutes } from './scratch-service.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function dial(serve: (socket: Socket) => void) {
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    cleanups.push(() => socket.destroy());
    serve(socket.on('error', () => undefined));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(() => server.close());
  const clock = new FakeClock();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = createRpcTransport({ url, clock });
  cleanups.push(() => transport.close());
  const call = () => createClient(CitadelService, transport).createToken({}).catch(fromConnectError);
  return { clock, accepted, call };
}

const SETTINGS = Buffer.from('000000040000000000', 'hex');

describe('a call to a server', () => {
  it.each([
    ['that says nothing', () => undefined],
    ['that reads nothing', (socket: Socket) => socket.pause()],
    ['that greets and stands still', (socket: Socket) => socket.write(SETTINGS)],
  ])('%s fails when it answers no PING, and the next one is made on a new connection', async (_, serve) => {
    const { clock, accepted, call } = await dial(serve);
    for (const round of [1, 2]) {
      const outcome = call();
      await vi.waitFor(() => expect(accepted).toHaveLength(round));
      await vi.waitFor(() =>
        expect(accepted[round - 1]?.isPaused() || (accepted[round - 1]?.bytesRead ?? 0) > 24).toBe(true),
      );
      clock.advance(10_000);
      clock.advance(10_000);
      expect(await outcome).toMatchObject({ code: 'unavailable', message: /has not answered/ });
    }
  });

  it.each([
    ['HTTP/1.1', (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['bytes of no protocol', (socket: Socket) => socket.write(Buffer.alloc(64, 0xff))],
    ['a reset', (socket: Socket) => socket.resetAndDestroy()],
  ])('that answers %s fails as unavailable', async (_, serve) => {
    const { call } = await dial((socket) => socket.once('data', () => serve(socket)));
    for (let round = 0; round < 2; round++) expect(await call()).toMatchObject({ code: 'unavailable' });
  });
});

it('a server lets go of clients that stand still, and of what they watched', async () => {
  const clock = new FakeClock();
  const server = await serveRpc({
    address: { host: '127.0.0.1', port: 0 },
    routes: scratchRoutes(),
    logger: silentLogger,
    clock,
  });
  cleanups.push(() => server.close());
  const relay = await startRelay(server.address.port);
  const transport = createRpcTransport({ url: `http://127.0.0.1:${relay.port}`, clock: new FakeClock() });
  cleanups.push(() => transport.close());
  const watch = createClient(Health, transport).watch({})[Symbol.asyncIterator]();
  await watch.next();
  relay.stall();
  clock.advance(30_000);
  clock.advance(10_000);
  await relay.closedByServer;
});

/** Passes a connection on until it stands still: what the server says is taken, and nothing is said to it any more. */
async function startRelay(target: number) {
  const closed = Promise.withResolvers<void>();
  let stall = (): void => undefined;
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      socket.on('error', () => undefined);
      cleanups.push(() => socket.destroy());
    }
    client.on('data', (bytes: Buffer) => upstream.write(bytes));
    upstream.on('data', (bytes: Buffer) => client.write(bytes));
    upstream.once('close', () => closed.resolve());
    stall = () => {
      client.removeAllListeners('data');
      upstream.removeAllListeners('data').resume();
    };
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { port, stall: () => stall(), closedByServer: closed.promise };
}
