import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closedPort, eventually, listening, portOf, RawClient } from '../../http/journeys/peers.ts';
import { httpListener, type JsonObject, openWorld, type World } from '../../http/journeys/world.ts';
import { formatResponseFlags } from '@flotilla/stream';

let world: World;
let servers: Server[];

beforeEach(() => {
  world = openWorld();
  servers = [];
});

afterEach(async () => {
  await world.close();
  for (const server of servers) server.close();
});

async function openServer(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  servers.push(server);
  await listening(server);
  return portOf(server);
}

const echo = (socket: Socket) => void socket.pipe(socket);

function tcpListener(config: JsonObject): JsonObject {
  return {
    name: 'tcp',
    address: { socketAddress: { address: '127.0.0.1', portValue: 0 } },
    filterChains: [
      {
        filters: [
          {
            name: 'tcp',
            typedConfig: {
              '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
              statPrefix: 'tcp',
              ...config,
            },
          },
        ],
      },
    ],
  };
}

const CONNECT = { upgradeType: 'CONNECT', connectConfig: {} };

const flags = () => formatResponseFlags(world.records.at(-1)?.responseFlags ?? 0, true);

describe('a TCP connection', () => {
  it('is passed on both ways and counted', async () => {
    world.cluster('echo', [await openServer(echo)]);
    const port = await world.listen(tcpListener({ cluster: 'echo' }));
    const client = await RawClient.connect(port);
    expect(await client.send('ping').until('ping')).toBe('ping');
    expect(world.counter('istio_tcp_connections_opened_total')).toBe(1);
    expect(world.counter('istio_tcp_connections_closed_total')).toBe(0);
    client.socket.end();
    await client.ended();
    await eventually(() => world.records.length === 1);
    expect(world.records[0]).toMatchObject({ bytesReceived: 4, bytesSent: 4, upstreamCluster: 'echo', protocol: null });
    expect(world.counter('istio_tcp_connections_opened_total')).toBe(1);
    expect(world.counter('istio_tcp_connections_closed_total')).toBe(1);
  });

  it('ends each direction by itself', async () => {
    const port = await openServer((socket) => {
      socket.resume();
      socket.on('end', () => socket.end('late answer'));
    });
    world.cluster('late', [port]);
    const client = await RawClient.connect(await world.listen(tcpListener({ cluster: 'late' })));
    client.socket.end('question');
    expect(await client.ended()).toBe('late answer');
  });

  it('lets a server speak first', async () => {
    world.cluster('greeter', [await openServer((socket) => void socket.end('220 hello\r\n'))]);
    const client = await RawClient.connect(await world.listen(tcpListener({ cluster: 'greeter' })));
    expect(await client.ended()).toBe('220 hello\r\n');
    client.close();
  });

  it('passes much data unchanged to a slow reader', async () => {
    const body = randomBytes(16 << 20);
    world.cluster('source', [await openServer((socket) => void socket.end(body))]);
    const client = await RawClient.connect(await world.listen(tcpListener({ cluster: 'source' })));
    client.socket.pause();
    await eventually(() => world.counter('tcp.tcp.downstream_cx_total') === 1);
    client.socket.resume();
    const received = Buffer.from(await client.ended(), 'latin1');
    expect(createHash('sha256').update(received).digest('hex')).toBe(createHash('sha256').update(body).digest('hex'));
  });

  it('goes through a tunnel to a proxy that ends it, whole and in both directions', async () => {
    const body = randomBytes(2 * 1024 * 1024);
    world.cluster('echo', [await openServer(echo)]);
    const connect = { match: { connectMatcher: {} }, route: { cluster: 'echo', upgradeConfigs: [CONNECT] } };
    const inner = httpListener([connect], { upgradeConfigs: [{ upgradeType: 'CONNECT' }] });
    world.cluster('next', [await world.listen({ ...inner, name: 'inner' })]);
    const config = { cluster: 'next', tunnelingConfig: { hostname: 'echo.test:9' } };
    const client = await RawClient.connect(await world.listen(tcpListener(config)));
    client.socket.end(body);
    const received = Buffer.from(await client.ended(), 'latin1');
    expect(createHash('sha256').update(received).digest('hex')).toBe(createHash('sha256').update(body).digest('hex'));
  });

  it('goes to clusters by weight', async () => {
    world.cluster('a', [await openServer((socket) => void socket.end('a'))]);
    world.cluster('b', [await openServer((socket) => void socket.end('b'))]);
    const clusters = [
      { name: 'a', weight: 80 },
      { name: 'b', weight: 20 },
    ];
    const port = await world.listen(tcpListener({ weightedClusters: { clusters } }));
    let count = 0;
    for (let index = 0; index < 100; index++) {
      const client = await RawClient.connect(port);
      if ((await client.ended()) === 'a') count++;
      client.close();
    }
    expect(count).toBeGreaterThan(65);
    expect(count).toBeLessThan(95);
  });

  it('is closed after its idle time-out', async () => {
    world.cluster('echo', [await openServer(echo)]);
    const port = await world.listen(tcpListener({ cluster: 'echo', idleTimeout: '5s' }));
    const client = await RawClient.connect(port);
    await client.send('ping').until('ping');
    await world.passTimeUntil(client.ended(), 500);
    await eventually(() => world.records.length === 1);
    expect(world.counter('tcp.tcp.idle_timeout')).toBe(1);
  });
});

describe('a TCP connection that cannot be passed on is reset', () => {
  it.each([
    ['nobody listens', 'UF,URX', async () => world.cluster('x', [await closedPort()])],
    ['there is no host', 'UH', async () => world.cluster('x', [])],
    ['there is no cluster', 'NC', async () => undefined],
  ])('when %s (%s)', async (_name, flag, prepare) => {
    await prepare();
    // Still connecting when it is reset, it says so as an error.
    const client = connect(await world.listen(tcpListener({ cluster: 'x' })), '127.0.0.1');
    const [error] = (await world.passTimeUntil(once(client, 'error'))) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    await eventually(() => world.records.length === 1);
    expect(flags()).toBe(flag);
  });

  it('after as many attempts as it may have', async () => {
    world.cluster('x', [await closedPort()]);
    const client = await RawClient.connect(await world.listen(tcpListener({ cluster: 'x', maxConnectAttempts: 3 })));
    await world.passTimeUntil(client.ended());
    await eventually(() => world.records.length === 1);
    expect(world.records[0]?.attemptCount).toBe(3);
    expect(flags()).toBe('UF,URX');
  });
});
