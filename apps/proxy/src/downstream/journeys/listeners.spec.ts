import { createServer } from 'node:net';
import { FlotillaError } from '@flotilla/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  eventually,
  listening,
  openUpstream,
  portOf,
  RawClient,
  request,
  type Upstream,
} from '../../http/journeys/peers.ts';
import { httpListener, type JsonObject, openWorld, route, type World } from '../../http/journeys/world.ts';

let world: World;
let upstream: Upstream;

beforeEach(async () => {
  world = openWorld();
  upstream = await openUpstream();
  world.cluster('up', [upstream.port]);
});

afterEach(async () => {
  await world.close();
  await upstream.close();
});

const direct = (status: number): JsonObject => ({ match: { prefix: '/' }, directResponse: { status } });
const at = (portValue: number): JsonObject => ({ address: { socketAddress: { address: '127.0.0.1', portValue } } });
const get = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';

describe('updating a listener', () => {
  it('swaps what its port serves; connections of the old chain are asked to close', async () => {
    const port = await world.listen(httpListener([direct(201)]));
    const client = await RawClient.connect(port);
    expect(await client.send(get).until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 201 /);
    expect(await world.listen(httpListener([direct(202)]))).toBe(port);
    expect(await request(port, 'GET /')).toMatchObject({ status: 202 });
    expect(await client.clear().send(get).ended()).toMatch(/^HTTP\/1\.1 201 [^]*connection: close/);
  });

  it('leaves connections of an unchanged chain alone', async () => {
    const port = await world.listen(httpListener([direct(201)]));
    const client = await RawClient.connect(port);
    await client.send(get).until('\r\n\r\n');
    await world.listen(httpListener([direct(201)]));
    expect(await client.clear().send(get).until('\r\n\r\n')).not.toContain('connection: close');
    client.close();
  });

  it('fails when the port is in use, and what ran goes on', async () => {
    const port = await world.listen(httpListener([direct(201)]));
    const other = createServer();
    await listening(other);
    const taken = world.listen(httpListener([direct(202)], {}, at(portOf(other))));
    await expect(taken).rejects.toThrow(FlotillaError);
    await expect(taken).rejects.toThrow(/listener "http" cannot listen on 127\.0\.0\.1:\d+: the port is in use/);
    expect(await request(port, 'GET /')).toMatchObject({ status: 201 });
    other.close();
  });
});

describe('draining', () => {
  it('lets requests in flight finish, says close, then the connection ends', async () => {
    const port = await world.listen(httpListener([route('/', { cluster: 'up', timeout: '0s' })]));
    const client = await RawClient.connect(port);
    await client.send(get).until('hello');
    world.listeners.drain();
    expect(await client.clear().send(get).ended()).toMatch(/connection: close[^]*hello$/);
  });

  it('of a removed listener waits for its connections, then closes them', async () => {
    const port = await world.listen(httpListener([direct(201)]));
    const idle = await RawClient.connect(port);
    await idle.send(get).until('\r\n\r\n');
    const removed = world.listeners.remove('http', { drainMs: 5000 });
    await expect(RawClient.connect(port)).rejects.toThrow();
    expect(idle.isEnded).toBe(false);
    await world.passTimeUntil(removed, 500);
    await idle.ended();
  });

  it('of a removed listener is over at once when its connections are', async () => {
    const port = await world.listen(httpListener([direct(201)]));
    const client = await RawClient.connect(port);
    await client.send(get).until('\r\n\r\n');
    const removed = world.listeners.remove('http', { drainMs: 5_000_000 });
    await client.clear().send(get).ended();
    client.close();
    await removed;
  });
});

describe('first bytes', () => {
  const tlsInspector: JsonObject = {
    name: 'envoy.filters.listener.tls_inspector',
    typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector' },
  };

  it('that do not come close the connection after the time-out', async () => {
    const port = await world.listen(httpListener([direct(201)], {}, { listenerFilters: [tlsInspector] }));
    const client = await RawClient.connect(port);
    await eventually(() => world.counter('listener.127.0.0.1_0.downstream_cx_total') === 1);
    expect(await world.passTimeUntil(client.ended(), 1000)).toBe('');
    expect(world.counter('listener.127.0.0.1_0.downstream_pre_cx_timeout')).toBe(1);
  });

  it('that do not come do not stall a server that speaks first, where the listener goes on', async () => {
    const greeter = createServer((socket) => void socket.end('220 hello'));
    await listening(greeter);
    world.cluster('greeter', [portOf(greeter)]);
    const port = await world.listen({
      name: 'tcp',
      ...at(0),
      listenerFilters: [tlsInspector],
      listenerFiltersTimeout: '0.1s',
      continueOnListenerFiltersTimeout: true,
      filterChains: [
        {
          filters: [
            {
              name: 'tcp',
              typedConfig: {
                '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
                statPrefix: 't',
                cluster: 'greeter',
              },
            },
          ],
        },
      ],
    });
    const client = await RawClient.connect(port);
    expect(await world.passTimeUntil(client.ended(), 50)).toBe('220 hello');
    client.close();
    greeter.close();
  });
});

describe('a listener that cannot be used is refused by name and field', () => {
  it.each([
    [
      'an unknown network filter',
      { filterChains: [{ filters: [{ name: 'x', typedConfig: rbac() }] }] },
      /filters\[0\]: network filter "x": envoy\.extensions\.filters\.network\.rbac\.v3\.RBAC is not supported/,
    ],
    ['no chains', { filterChains: [] }, /filter_chains: is empty/],
    [
      'an unknown HTTP filter',
      httpWith({ httpFilters: [{ name: 'y', typedConfig: rbac() }] }),
      /http_filters\[0\]: "y": .* is not supported/,
    ],
    ['no router', httpWith({ httpFilters: [] }), /http_filters: has no router/],
    ['HTTP/3', httpWith({ codecType: 'HTTP3' }), /codec_type: HTTP3 is not supported/],
    ['a field that is not honoured', httpWith({ addUserAgent: true }), /add_user_agent: is not supported/],
    ['an address that is none', { address: { pipe: { path: '/x' } } }, /address: must be a socket_address/],
  ])('%s', async (_name, more, message) => {
    const refused = world.listen({ ...httpListener([direct(200)]), ...more } as JsonObject); // rows of several shapes
    await expect(refused).rejects.toThrow(/^listener "http": /);
    await expect(refused).rejects.toThrow(message);
  });

  it('but an unknown filter that is optional is left out', async () => {
    const httpFilters: JsonObject[] = [
      { name: 'y', isOptional: true, typedConfig: rbac() },
      {
        name: 'router',
        typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ];
    const port = await world.listen(httpListener([direct(201)], { httpFilters }));
    expect(await request(port, 'GET /')).toMatchObject({ status: 201 });
  });
});

function httpWith(manager: JsonObject): JsonObject {
  return httpListener([direct(200)], manager);
}

function rbac(): JsonObject {
  return { '@type': 'type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC', statPrefix: 'r' };
}
