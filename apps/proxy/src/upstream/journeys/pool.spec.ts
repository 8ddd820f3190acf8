import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '@flotilla/runtime';
import { HeaderList } from '@flotilla/http-codec';
import type { UpstreamStream } from '../../ports/cluster-manager.ts';
import {
  ANY_HOST,
  answering,
  get,
  OK,
  openWorld,
  pickHost,
  type RawServer,
  send,
  startRawServer,
  staticCluster,
  until,
  type World,
} from './world.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function start(onSocket: (socket: Socket, index: number) => void): Promise<RawServer> {
  const server = await startRawServer(onSocket);
  endings.push(() => server.close());
  return server;
}

async function open(
  onSocket: (socket: Socket, index: number) => void,
  cluster: Parameters<typeof staticCluster>[1] = {},
  overrides: Parameters<typeof openWorld>[0] = {},
): Promise<World & { readonly server: RawServer }> {
  const server = await start(onSocket);
  const world = openWorld(overrides);
  endings.push(() => world.manager.close());
  world.manager.apply(staticCluster([server.port], cluster));
  return { ...world, server };
}

/** Answers the first `count` requests of each connection, then does something else with the next. */
function answeringThen(count: number, then: (socket: Socket) => void): (socket: Socket) => void {
  return (socket) => {
    let seen = 0;
    socket.on('data', () => {
      if (seen++ < count) socket.write(OK);
      else then(socket);
    });
  };
}

const post = (body: 'chunked' | number) => get('/', { method: 'POST', body });

describe('connections are used again', () => {
  it('sends one request after another on one connection', async () => {
    const world = await open(answering(OK));
    for (let index = 0; index < 5; index++) expect((await send(world.cluster(), get('/x'))).body).toBe('ok');
    expect(world.server.sockets).toHaveLength(1);
    expect(world.value('cluster.c.upstream_cx_total')).toBe(1);
    expect(world.value('cluster.c.upstream_rq_total')).toBe(5);
    expect(world.value('cluster.c.upstream_rq_200')).toBe(5);
    expect(world.value('cluster.c.upstream_rq_active')).toBe(0);
  });

  it('prefers the connection that became idle last', async () => {
    const world = await open(answering(OK));
    await Promise.all([send(world.cluster()), send(world.cluster()), send(world.cluster())]);
    for (let index = 0; index < 4; index++) await send(world.cluster());
    expect(world.server.sockets).toHaveLength(3);
    const received = world.server.sockets.map((socket) => socket.bytesRead).sort((a, b) => a - b);
    expect(received[0]).toBe(received[1]);
    expect(received[2]).toBe((received[0] ?? 0) * 5);
  });

  it.each([
    ['the server says close', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'],
    ['the server speaks HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    ['bytes follow the response', `${OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`],
  ])('opens another one when %s', async (_why, text) => {
    const world = await open(answering(text));
    for (let index = 0; index < 3; index++) expect((await send(world.cluster())).body).toBe('ok');
    expect(world.server.sockets).toHaveLength(3);
  });

  it('never gives bytes that follow a response to the next request in the queue', async () => {
    const world = await open(answering(`${OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`), {
      circuitBreakers: { thresholds: [{ maxConnections: 1 }] },
    });
    const answers = await Promise.all([send(world.cluster()), send(world.cluster()), send(world.cluster())]);
    expect(answers.map((answer) => answer.body)).toEqual(['ok', 'ok', 'ok']);
  });

  it('opens another one after the configured number of requests', async () => {
    const world = await open(answering(OK), { maxRequestsPerConnection: 2 });
    for (let index = 0; index < 5; index++) await send(world.cluster());
    expect(world.server.sockets).toHaveLength(3);
    expect(world.value('cluster.c.upstream_cx_max_requests')).toBe(2);
  });

  it('closes connections that were idle for too long', async () => {
    const clock = new FakeClock();
    const world = await open(
      answering(OK),
      { commonHttpProtocolOptions: { idleTimeout: { seconds: 10n } } },
      { clock },
    );
    await send(world.cluster());
    clock.advance(9_000);
    await send(world.cluster());
    clock.advance(9_999);
    expect(world.value('cluster.c.upstream_cx_idle_timeout')).toBe(0);
    clock.advance(1);
    expect(world.value('cluster.c.upstream_cx_idle_timeout')).toBe(1);
    await until(() => world.value('cluster.c.upstream_cx_active') === 0);
  });

  it('forgets an idle connection that the server closed', async () => {
    const world = await open(answering(OK));
    await send(world.cluster());
    world.server.sockets[0]?.end();
    await until(() => world.value('cluster.c.upstream_cx_active') === 0);
    expect((await send(world.cluster())).failure).toBeNull();
  });

  it('sends nothing on a connection that was idle and whose end is here, unread', async () => {
    const clock = new FakeClock();
    const world = await open(answering(OK), {}, { clock });
    await send(world.cluster());
    clock.advance(60);
    world.server.sockets[0]?.destroy();
    expect((await send(world.cluster(), post(1), ['x'])).body).toBe('ok');
    expect(world.server.sockets).toHaveLength(2);
  });

  it('gives up a request while the connection meant for it is looked at, and keeps the connection', async () => {
    const clock = new FakeClock();
    const world = await open(answering(OK), {}, { clock });
    await send(world.cluster());
    clock.advance(60);
    void send(world.cluster(), get(), [], (stream) => stream.abort());
    expect(world.value('cluster.c.upstream_rq_cancelled')).toBe(1);
    expect((await send(world.cluster())).body).toBe('ok');
    expect(world.value('cluster.c.upstream_rq_active')).toBe(0);
  });

  it('never fails a request where the server ends each connection after its answer without saying so', async () => {
    const world = await open((socket) => socket.on('data', () => socket.end(OK)));
    for (let count = 0; count < 50; count++) {
      expect((await send(world.cluster(), post(1), ['x'])).failure, `request ${count}`).toBeNull();
    }
  });

  it('closes an idle connection on which the server speaks unasked', async () => {
    const world = await open(answering(OK));
    await send(world.cluster());
    world.server.sockets[0]?.write('HTTP/1.1 408 Request Timeout\r\n\r\n');
    await until(() => world.value('cluster.c.upstream_cx_active') === 0);
    expect(world.value('cluster.c.upstream_cx_protocol_error')).toBe(1);
  });
});

describe('requests and responses', () => {
  it('sends a body of known length with its head, and a chunked one with trailers', async () => {
    const heard: string[] = [];
    const world = await open((socket) =>
      socket.on('data', (chunk) => {
        heard.push(chunk.toString());
        if (chunk.toString().includes('END')) socket.write(OK);
      }),
    );
    await send(world.cluster(), get('/a', { method: 'PUT', body: 3, headers: HeaderList.of({ 'X-A': '1' }) }), ['END']);
    expect(heard).toEqual(['PUT /a HTTP/1.1\r\nhost: example.com\r\nx-a: 1\r\ncontent-length: 3\r\n\r\nEND']);
    heard.length = 0;
    await send(world.cluster(), post('chunked'), ['one', 'END']);
    await until(() => heard.join('').endsWith('0\r\n\r\n'));
    expect(heard.join('')).toBe(
      'POST / HTTP/1.1\r\nhost: example.com\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\nEND\r\n0\r\n\r\n',
    );
  });

  it('passes chunked responses and their trailers on', async () => {
    const world = await open(
      answering('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n'),
    );
    const answer = await send(world.cluster());
    expect([answer.body, answer.trailers?.get('x-t')]).toEqual(['abc', '1']);
  });

  it('reads until the end where the response has no length', async () => {
    const world = await open((socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it')));
    expect((await send(world.cluster())).body).toBe('all of it');
  });

  it('moves large bodies both ways', async () => {
    const size = 3_000_000;
    const world = await open((socket) => {
      let received = -1;
      socket.on('data', (chunk) => {
        if (received === -1) received = chunk.length - chunk.indexOf('\r\n\r\n') - 4;
        else received += chunk.length;
        if (received === size) {
          socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
          socket.write('y'.repeat(size));
        }
      });
    });
    const answer = await send(world.cluster(), post(size), ['x'.repeat(10), 'x'.repeat(size - 10)]);
    expect(answer.body.length).toBe(size);
  });

  it('stops reading while paused', async () => {
    const size = 8_000_000;
    const world = await open(answering(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n${'z'.repeat(size)}`));
    let received = 0;
    let stream: UpstreamStream | null = null;
    const done = Promise.withResolvers<void>();
    const cluster = world.cluster();
    stream = cluster.open(pickHost(cluster), get(), {
      onConnected: () => undefined,
      onInformational: () => undefined,
      onHead: () => stream?.pause(),
      onData: (chunk) => (received += chunk.length),
      onEnd: () => done.resolve(),
      onFailure: (_failure, detail) => done.reject(new Error(detail)),
      onDrain: () => undefined,
    });
    await until(() => (world.server.sockets[0]?.writableLength ?? 0) > 0);
    const before = received;
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(received).toBe(before);
    expect(received).toBeLessThan(size);
    stream.resume();
    await done.promise;
    expect(received).toBe(size);
  });

  it('gives no pause on to the next request', async () => {
    const world = await open(answering(OK));
    const cluster = world.cluster();
    for (let index = 0; index < 3; index++) {
      await new Promise<void>((resolve, reject) => {
        const stream = cluster.open(pickHost(cluster), get(), {
          onConnected: () => undefined,
          onInformational: () => undefined,
          onHead: () => undefined,
          onData: () => stream.pause(),
          onEnd: () => resolve(),
          onFailure: (_failure, detail) => reject(new Error(detail)),
          onDrain: () => undefined,
        });
      });
    }
    expect(world.server.sockets).toHaveLength(1);
  });

  it('takes an answer that comes before the request is sent, and lets that connection go', async () => {
    const world = await open((socket) => socket.once('data', () => socket.write(OK)));
    const cluster = world.cluster();
    const answer = await new Promise<number>((resolve, reject) => {
      let status = 0;
      const stream = cluster.open(pickHost(cluster), post('chunked'), {
        onConnected: () => undefined,
        onInformational: () => undefined,
        onHead: (code) => (status = code),
        onData: () => undefined,
        onEnd: () => resolve(status),
        onFailure: (_failure, detail) => reject(new Error(detail)),
        onDrain: () => undefined,
      });
      stream.write(Buffer.from('begin'));
    });
    expect(answer).toBe(200);
    await until(() => world.value('cluster.c.upstream_cx_active') === 0);
  });

  it('sends the head of a slow body before the body, so that the server may answer first', async () => {
    const heard: string[] = [];
    const world = await open((socket) =>
      socket.on('data', (chunk) => {
        heard.push(chunk.toString());
        socket.write(OK);
      }),
    );
    const cluster = world.cluster();
    for (let index = 0; index < 2; index++) {
      // No byte of the body is ever written: first on a new connection, then on one more.
      const answer = await new Promise<number>((resolve, reject) => {
        let status = 0;
        cluster.open(pickHost(cluster), post(4), {
          onConnected: () => undefined,
          onInformational: () => undefined,
          onHead: (code) => (status = code),
          onData: () => undefined,
          onEnd: () => resolve(status),
          onFailure: (_failure, detail) => reject(new Error(detail)),
          onDrain: () => undefined,
        });
      });
      expect(answer).toBe(200);
    }
    expect(heard).toEqual(Array(2).fill('POST / HTTP/1.1\r\nhost: example.com\r\ncontent-length: 4\r\n\r\n'));
  });

  it('tells of interim responses', async () => {
    const world = await open(answering(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}`));
    const cluster = world.cluster();
    const events: (string | number)[] = [];
    await new Promise<void>((resolve) => {
      cluster.open(pickHost(cluster), get(), {
        onConnected: () => events.push('connected'),
        onInformational: (status, headers) => events.push(status, headers.get('link') ?? ''),
        onHead: (status) => events.push(status),
        onData: (chunk) => events.push(chunk.toString()),
        onEnd: () => resolve(),
        onFailure: () => resolve(),
        onDrain: () => undefined,
      });
    });
    expect(events).toEqual(['connected', 103, '</a>', 200, 'ok']);
  });
});

describe('tunnels', () => {
  it('passes bytes both ways after a protocol switch, and ends each half by itself', async () => {
    const world = await open((socket) => {
      let isOpen = false;
      socket.on('data', (chunk) => {
        if (!isOpen) {
          isOpen = true;
          expect(chunk.toString()).toContain('connection: upgrade\r\nupgrade: echo\r\n');
          socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello');
        } else socket.write(`<${chunk.toString()}>`);
      });
      socket.on('end', () => socket.end('bye'));
    });
    const cluster = world.cluster();
    let text = '';
    let stream: UpstreamStream | null = null;
    await new Promise<void>((resolve, reject) => {
      stream = cluster.open(pickHost(cluster), get('/', { upgrade: 'echo' }), {
        onConnected: () => undefined,
        onInformational: () => undefined,
        onHead: (status, headers) => expect([status, headers.get('upgrade')]).toEqual([101, 'echo']),
        onData(chunk) {
          text += chunk.toString();
          if (text.endsWith('<b>')) stream?.end(null);
        },
        onEnd: () => resolve(),
        onFailure: (_failure, detail) => reject(new Error(detail)),
        onDrain: () => undefined,
      });
      stream.write(Buffer.from('b'));
    });
    expect(text).toBe('hello<b>bye');
    await until(() => world.value('cluster.c.upstream_cx_active') === 0);
    expect(world.value('cluster.c.upstream_rq_active')).toBe(0);
  });

  it('takes a refusal to switch as an ordinary answer', async () => {
    const world = await open(answering(OK));
    expect((await send(world.cluster(), get('/', { upgrade: 'echo' }))).body).toBe('ok');
    expect((await send(world.cluster())).body).toBe('ok');
    expect(world.server.sockets).toHaveLength(1);
  });
});

describe('broken connections', () => {
  it('says reset-before-request when a connection dies under an idempotent request', async () => {
    const world = await open(answeringThen(1, (socket) => socket.destroy()));
    await send(world.cluster());
    expect((await send(world.cluster())).failure).toBe('reset-before-request');
  });

  it('says reset when a connection dies under a request that must not be repeated', async () => {
    const world = await open(answeringThen(1, (socket) => socket.destroy()));
    await send(world.cluster());
    expect((await send(world.cluster(), post(1), ['x'])).failure).toBe('reset');
  });

  it.each([
    ['a new connection ends without an answer', (socket: Socket) => socket.end(), 'reset-before-request'],
    ['a new connection is reset', (socket: Socket) => socket.resetAndDestroy(), 'reset-before-request'],
    ['the head is cut off', (socket: Socket) => socket.end('HTTP/1.1 200'), 'protocol-error'],
    [
      'the body is cut off',
      (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab'),
      'protocol-error',
    ],
    [
      'the body breaks off',
      (socket: Socket) =>
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab', () => socket.resetAndDestroy()),
      'protocol-error',
    ],
    [
      'it ends after an interim response',
      (socket: Socket) => socket.end('HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n'),
      'reset',
    ],
    ['the answer is not HTTP', (socket: Socket) => socket.write('SSH-2.0-OpenSSH\r\n\r\n'), 'protocol-error'],
    [
      'the framing is ambiguous',
      (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n'),
      'protocol-error',
    ],
  ])('when %s', async (_case, act, failure) => {
    const world = await open((socket) => socket.once('data', () => act(socket)));
    expect((await send(world.cluster())).failure).toBe(failure);
    await until(() => world.value('cluster.c.upstream_cx_active') === 0);
    expect(world.value('cluster.c.upstream_rq_active')).toBe(0);
  });

  it('fails at once when nobody listens, with the reason', async () => {
    const server = await startRawServer(() => undefined);
    await server.close();
    const world = openWorld();
    world.manager.apply(staticCluster([server.port]));
    const answer = await send(world.cluster());
    expect([answer.failure, answer.detail]).toEqual(['connect-failure', 'delayed connect error: Connection refused']);
    expect(world.value('cluster.c.upstream_cx_connect_fail')).toBe(1);
  });

  it('does not reuse a connection whose request was given up', async () => {
    const world = await open(answeringThen(0, () => undefined));
    const cluster = world.cluster();
    let hasConnected = false;
    const stream = cluster.open(pickHost(cluster), get(), {
      onConnected: () => (hasConnected = true),
      onInformational: () => expect.fail('after abort'),
      onHead: () => expect.fail('after abort'),
      onData: () => expect.fail('after abort'),
      onEnd: () => expect.fail('after abort'),
      onFailure: () => expect.fail('after abort'),
      onDrain: () => undefined,
    });
    await until(() => hasConnected);
    stream.abort();
    stream.write(Buffer.from('late'));
    await until(() => world.value('cluster.c.upstream_cx_active') === 0);
    expect(world.value('cluster.c.upstream_rq_active')).toBe(0);
  });

  it('gives up a request that waits for its connection', async () => {
    const world = await open(answering(OK));
    const cluster = world.cluster();
    const host = pickHost(cluster);
    const waiting = send(cluster, get(), [], (stream) => stream.abort());
    expect(host.activeRequests).toBe(0);
    expect(world.value('cluster.c.upstream_rq_cancelled')).toBe(1);
    expect((await send(cluster)).body).toBe('ok');
    expect(await Promise.race([waiting, Promise.resolve('silent')])).toBe('silent');
  });
});

describe('circuit breakers', () => {
  const thresholds = (limits: object) => ({ circuitBreakers: { thresholds: [limits] } });

  it('refuses what does not fit the queue', async () => {
    const world = await open(() => undefined, thresholds({ maxConnections: 1, maxPendingRequests: 2 }));
    const answers = [1, 2, 3, 4].map(() => send(world.cluster()));
    expect((await answers[2])?.failure).toBe('overflow');
    expect((await answers[3])?.failure).toBe('overflow');
    expect(world.value('cluster.c.upstream_rq_pending_overflow')).toBe(2);
    expect(world.value('cluster.c.upstream_cx_overflow')).toBeGreaterThan(0);
    expect(world.value('cluster.c.circuit_breakers.default.rq_pending_open')).toBe(1);
  });

  it('serves the queue with the connections it may have', async () => {
    const world = await open(answering(OK), thresholds({ maxConnections: 2 }));
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(world.cluster())));
    expect(answers.every((answer) => answer.body === 'ok')).toBe(true);
    expect(world.server.sockets.length).toBeLessThanOrEqual(2);
  });

  it('refuses requests beyond the limit of those in flight', async () => {
    const world = await open(() => undefined, thresholds({ maxRequests: 1 }));
    const first = send(world.cluster());
    const second = send(world.cluster());
    expect((await second).failure).toBe('overflow');
    world.server.sockets.forEach((socket) => socket.write(OK));
    expect((await first).body).toBe('ok');
  });

  it('limits retries, by number or by budget', async () => {
    const world = await open(() => undefined, thresholds({ maxRetries: 2 }));
    const cluster = world.cluster();
    expect([
      cluster.tryAcquireRetry('default'),
      cluster.tryAcquireRetry('default'),
      cluster.tryAcquireRetry('default'),
    ]).toEqual([true, true, false]);
    cluster.releaseRetry('default');
    expect(cluster.tryAcquireRetry('default')).toBe(true);
    expect(world.value('cluster.c.upstream_rq_retry_overflow')).toBe(1);
    world.manager.apply(
      staticCluster([1], thresholds({ retryBudget: { budgetPercent: { value: 50 }, minRetryConcurrency: 1 } })),
    );
    const budgeted = world.cluster();
    expect([budgeted.tryAcquireRetry('default'), budgeted.tryAcquireRetry('default')]).toEqual([true, false]);
  });
});

describe('raw connections', () => {
  it('hands over a paused socket that loses no early byte', async () => {
    const world = await open((socket) => socket.write('server speaks first'));
    const cluster = world.cluster();
    const socket = await new Promise<Socket>((resolve, reject) => {
      cluster.connect(pickHost(cluster), null, null, {
        onConnected: (connected) => resolve(connected),
        onFailure: (_failure, detail) => reject(new Error(detail)),
      });
    });
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    const text = await new Promise<string>((resolve) => {
      socket.once('data', (chunk) => resolve(chunk.toString()));
      socket.resume();
    });
    expect(text).toBe('server speaks first');
    expect(world.value('cluster.c.upstream_cx_active')).toBe(1);
    socket.destroy();
    await until(() => world.value('cluster.c.upstream_cx_active') === 0);
  });

  it('counts against the limit of connections', async () => {
    const world = await open(() => undefined, { circuitBreakers: { thresholds: [{ maxConnections: 0 }] } });
    const cluster = world.cluster();
    const failure = await new Promise((resolve) => {
      cluster.connect(pickHost(cluster), null, null, { onConnected: () => resolve('connected'), onFailure: resolve });
    });
    expect(failure).toBe('overflow');
  });
});

describe('original destinations', () => {
  it('connects to where the client wanted to go', async () => {
    const server = await start(answering(OK));
    const world = openWorld();
    endings.push(() => world.manager.close());
    world.manager.apply({
      ...staticCluster([], { clusterDiscoveryType: { case: 'type', value: 4 }, lbPolicy: 6 }),
      loadAssignment: undefined,
    });
    const cluster = world.cluster();
    const originalDestination = { host: '127.0.0.1', port: server.port };
    expect(cluster.pick(ANY_HOST)).toBeNull();
    const host = cluster.pick({ ...ANY_HOST, originalDestination });
    expect(host?.address).toBe(`127.0.0.1:${server.port}`);
    expect(cluster.pick({ ...ANY_HOST, originalDestination })).toBe(host);
  });
});
