import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { once } from 'node:events';
import { Code, createClient } from '@connectrpc/connect';
import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { Health } from '@flotilla/wire/grpc/health/v1/health_pb.js';
import { describe, expect, it } from 'vitest';
import { createRpcTransport } from '../client.ts';
import { fromConnectError } from '../errors.ts';
import { createHealthStatus, serveRpc } from '../server.ts';
import { pathOf, scratchRoutes } from './scratch-service.ts';

const address = { host: '127.0.0.1', port: 0 };

function gate() {
  const entered = Promise.withResolvers<void>();
  const until = Promise.withResolvers<void>();
  return {
    entered: entered.promise,
    release: until.resolve,
    routes: scratchRoutes({ entered: entered.resolve, until: until.promise }),
  };
}

describe('closing a server', () => {
  it('lets a call in flight finish, over HTTP/2 and HTTP/1.1, and accepts no new one', async () => {
    for (const kind of ['http2', 'http1'] as const) {
      const { entered, release, routes } = gate();
      const server = await serveRpc({ address, routes, logger: silentLogger, clock: new FakeClock() });
      const transport = createRpcTransport({ url: server.url });
      const reply =
        kind === 'http2'
          ? createClient(CitadelService, transport).createToken({ namespace: 'wait', serviceAccount: 'a' })
          : fetch(server.url + pathOf(CitadelService.method.createToken), {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: '{"namespace":"wait","serviceAccount":"a"}',
            }).then((response) => response.json() as Promise<{ token: string }>);
      await entered;
      const closed = server.close();
      const late = createRpcTransport({ url: server.url });
      const refused = createClient(CitadelService, late).createToken({});
      await expect(refused).rejects.toMatchObject({ code: Code.Unavailable });
      release();
      expect((await reply).token).toBe('a');
      await closed;
      transport.close();
      late.close();
    }
  });

  it('ends streams at once, and cuts off what does not finish in the drain time', async () => {
    const { entered, routes } = gate();
    const clock = new FakeClock();
    const server = await serveRpc({ address, routes, logger: silentLogger, clock, drainMs: 3_000 });
    const transport = createRpcTransport({ url: server.url });
    const watch = createClient(Health, transport).watch({})[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ status: 1 });
    const stuck = createClient(CitadelService, transport).createToken({ namespace: 'wait' });
    const outcome = stuck.catch((error: unknown) => fromConnectError(error));
    await entered;
    const closed = server.close();
    const readToEnd = async () => {
      for (;;) if ((await watch.next()).done === true) return;
    };
    await expect(readToEnd()).rejects.toMatchObject({ code: Code.Unavailable });
    clock.advance(3_000);
    await closed;
    expect(await outcome).toMatchObject({ code: 'unavailable' });
    expect(server.close()).toBe(server.close());
    transport.close();
  });

  it('sends GOAWAY to idle connections and drops silent ones', async () => {
    const server = await serveRpc({ address, routes: scratchRoutes(), logger: silentLogger, clock: new FakeClock() });
    const session = connectHttp2(server.url);
    const silent = connect(server.address.port, '127.0.0.1');
    await Promise.all([once(session, 'remoteSettings'), once(silent, 'connect')]);
    const [goaway, ended] = [once(session, 'goaway'), once(silent, 'close')];
    silent.on('error', () => undefined);
    await server.close();
    expect((await goaway)[0]).toBe(0);
    await ended;
    session.destroy();
  });

  it('is noticed by a client, whose next call opens a new connection', async () => {
    const first = await serveRpc({ address, routes: scratchRoutes(), logger: silentLogger });
    const transport = createRpcTransport({ url: first.url });
    const client = createClient(CitadelService, transport);
    await client.createToken({ serviceAccount: 'a' });
    await first.close();
    await expect(
      client.createToken({}).catch((error: unknown) => Promise.reject(fromConnectError(error))),
    ).rejects.toMatchObject({
      code: 'unavailable',
    });
    const second = await serveRpc({ address: first.address, routes: scratchRoutes(), logger: silentLogger });
    expect((await client.createToken({ serviceAccount: 'b' })).token).toBe('b');
    transport.close();
    await second.close();
  });
});

describe('health', () => {
  it('is watched through its changes', async () => {
    const health = createHealthStatus(false);
    const server = await serveRpc({ address, routes: scratchRoutes(), logger: silentLogger, health });
    const transport = createRpcTransport({ url: server.url });
    const client = createClient(Health, transport);
    const watch = client.watch({ service: 'flotilla.citadel.v1.CitadelService' })[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ status: 2 });
    health.set(true);
    expect((await watch.next()).value).toMatchObject({ status: 1 });
    const unknown = client.watch({ service: 'nobody' })[Symbol.asyncIterator]();
    expect((await unknown.next()).value).toMatchObject({ status: 3 });
    transport.close();
    await server.close();
  });
});

describe('listening', () => {
  it('says which port is in use', async () => {
    const server = await serveRpc({ address, routes: scratchRoutes(), logger: silentLogger });
    await expect(
      serveRpc({ address: server.address, routes: scratchRoutes(), logger: silentLogger }),
    ).rejects.toMatchObject({
      code: 'system',
      message: `cannot listen on 127.0.0.1:${server.address.port}: the port is in use`,
    });
    await server.close();
  });

  it('survives peers that speak nothing it knows', async () => {
    const server = await serveRpc({ address, routes: scratchRoutes(), logger: silentLogger });
    for (const bytes of [
      'PR',
      'PRI * HTTP/3.0\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
      '\x16\x03\x01',
      'GET / HTTP/1.0\r\n\r\n',
    ]) {
      const socket = connect(server.address.port, '127.0.0.1');
      socket.on('error', () => undefined).resume();
      socket.end(bytes);
      await once(socket, 'close');
    }
    const noHost = await fetch(`${server.url}/nowhere`);
    expect([noHost.status, await noHost.json()]).toEqual([
      404,
      { code: 'unimplemented', message: 'no method at /nowhere' },
    ]);
    await server.close();
  });

  it('tells HTTP versions apart when the first bytes come one by one', async () => {
    const server = await serveRpc({ address, routes: scratchRoutes(), logger: silentLogger });
    const socket = connect(server.address.port, '127.0.0.1').setNoDelay().setEncoding('latin1');
    // The first answer to each byte is another connection's: by then the server has seen the byte.
    const write = async (bytes: string) => {
      socket.write(bytes);
      await fetch(server.url);
    };
    for (const byte of 'PRI') await write(byte);
    const settings = once(socket, 'data');
    socket.write(' * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    expect(String((await settings)[0]).charCodeAt(3)).toBe(4);
    const old = connect(server.address.port, '127.0.0.1').setNoDelay().setEncoding('latin1');
    old.write('P');
    await fetch(server.url);
    old.write('UT / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(String((await once(old, 'data'))[0])).toMatch(/^HTTP\/1.1 404/);
    socket.destroy();
    old.destroy();
    await server.close();
  });
});
