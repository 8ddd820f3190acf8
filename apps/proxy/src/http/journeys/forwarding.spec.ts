import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ResponseFlag } from '@flotilla/stream';
import { eventually, openUpstream, parseResponse, RawClient, request, type Script, type Upstream } from './peers.ts';
import { httpListener, openWorld, route, type World } from './world.ts';

let world: World;
let upstream: Upstream;
let port: number;

async function start(script?: Script, manager = {}): Promise<void> {
  upstream = await openUpstream(script);
  world.cluster('up', [upstream.port]);
  port = await world.listen(httpListener([route('/', { cluster: 'up', timeout: '0s' })], manager));
}

beforeEach(() => {
  world = openWorld();
});

afterEach(async () => {
  await world.close();
  await upstream.close();
});

describe('a forwarded request', () => {
  it('reaches the upstream with proxy headers, and its response comes back', async () => {
    await start();
    const response = await request(port, 'GET /a?b=c', { 'X-Test': '1', accept: '*/*' });
    expect(response).toMatchObject({ status: 200, body: 'hello', headers: { server: 'envoy', 'content-length': '5' } });
    expect(response.headers['x-envoy-upstream-service-time']).toMatch(/^\d+$/);
    const [seen] = upstream.seen;
    expect(seen?.head).toMatchObject({ method: 'GET', path: '/a?b=c', authority: 'example', body: 'none' });
    expect(seen?.head.headers.get('x-test')).toBe('1');
    expect(seen?.head.headers.get('x-forwarded-proto')).toBe('http');
    expect(seen?.head.headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    expect(world.records[0]).toMatchObject({
      method: 'GET',
      originalPath: '/a?b=c',
      responseCode: 200,
      responseCodeDetails: 'via_upstream',
      responseFlags: 0,
      upstreamCluster: 'up',
      upstreamHost: `127.0.0.1:${upstream.port}`,
      bytesSent: 5,
    });
  });

  it('may name its target in absolute form: the authority in it wins', async () => {
    await start();
    await request(port, 'GET http://reviews:9080/x', { host: 'other' });
    expect(upstream.seen[0]?.head).toMatchObject({ authority: 'reviews:9080', path: '/x', form: 'origin' });
  });

  it.each([
    ['a length', { 'content-length': '5' }, 'hello', 5],
    ['chunks', { 'transfer-encoding': 'chunked' }, '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n', 'chunked'],
    ['a zero length', { 'content-length': '0' }, '', 0],
  ])('keeps the framing of its body: %s', async (_name, fields, body, framing) => {
    await start();
    const client = await RawClient.connect(port);
    const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    client.send(`POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${head.join('')}\r\n${body}`);
    await client.ended();
    const [seen] = upstream.seen;
    expect(seen?.head.body).toBe(framing);
    expect(seen?.body.toString()).toBe(framing === 0 ? '' : 'hello');
  });

  it('reuses one connection upstream for requests after each other', async () => {
    await start();
    const client = await RawClient.connect(port);
    for (let index = 0; index < 3; index++) {
      client.clear().send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
      await client.until('hello');
    }
    expect(upstream.seen.map(({ connection }) => connection)).toEqual([1, 1, 1]);
    client.close();
  });

  it('waits for the one before it when it is pipelined', async () => {
    const sockets: (() => void)[] = [];
    await start(({ head, socket }) => {
      sockets.push(() => void socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n${head.path}`));
    });
    const client = await RawClient.connect(port);
    client.send(
      'GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\nGET /3 HTTP/1.1\r\nhost: a\r\n\r\n',
    );
    await eventually(() => sockets.length === 1);
    expect(upstream.seen).toHaveLength(1);
    for (let index = 0; index < 3; index++) {
      await eventually(() => sockets.length > index);
      sockets[index]?.();
    }
    const text = await client.until('/3');
    expect(text.match(/(?<=\r\n\r\n)\/[123]/g)).toEqual(['/1', '/2', '/3']);
    client.close();
  });

  it('waits while its client does not read the responses that it has', async () => {
    const body = 'x'.repeat(60_000);
    await start(({ socket }) => void socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`));
    const client = await RawClient.connect(port);
    client.socket.pause();
    client.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(1000));
    // Until nothing moves for many turns: the kernel's buffers are full.
    let before = 0;
    for (let still = 0; still < 500; still++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (upstream.seen.length === before) continue;
      before = upstream.seen.length;
      still = 0;
    }
    expect(before).toBeLessThan(500);
    client.socket.resume();
    await eventually(() => upstream.seen.length === 1000);
    client.close();
  });

  it('reaches the upstream head first, which may answer before the client sends the body', async () => {
    await start();
    world.cluster('early', [(await openEarly()).port]);
    await world.listen(httpListener([route('/', { cluster: 'early', timeout: '0s' })]));
    const client = await RawClient.connect(port);
    client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n');
    expect(parseResponse(await client.ended())).toMatchObject({ status: 413, body: 'no' });
    client.close();
  });

  it('is told to go on at once when it expects 100-continue', async () => {
    await start();
    const client = await RawClient.connect(port);
    client.send('POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n');
    await client.until('100 Continue\r\n\r\n');
    client.send('hello');
    await client.until('hello');
    expect(upstream.seen[0]?.head.expectsContinue).toBe(false);
    expect(upstream.seen[0]?.head.headers.has('expect')).toBe(false);
    client.close();
  });

  it('passes large bodies both ways unchanged, with back-pressure', async () => {
    await start(({ body, socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`);
      socket.write(body);
    });
    const body = randomBytes(8 << 20);
    const client = await RawClient.connect(port);
    client.socket.pause();
    client.socket.write(`POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`);
    client.socket.write(body);
    await eventually(() => upstream.seen.length === 1);
    client.socket.resume();
    const { body: back } = parseResponse(await client.ended());
    expect(createHash('sha256').update(Buffer.from(back, 'latin1')).digest('hex')).toBe(
      createHash('sha256').update(body).digest('hex'),
    );
  });

  it('is dropped upstream when the client goes away (DC)', async () => {
    await start(() => undefined);
    const client = await RawClient.connect(port);
    client.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await eventually(() => upstream.seen.length === 1);
    client.close();
    await eventually(() => upstream.connections.size === 0 && world.records.length === 1);
    expect(world.records[0]).toMatchObject({ responseCode: 0, responseCodeDetails: 'downstream_remote_disconnect' });
  });
});

describe('a response', () => {
  it.each([
    [
      'until the connection closes',
      'HTTP/1.1 200 OK\r\n\r\nhi',
      'GET',
      200,
      'transfer-encoding',
      'chunked',
      '2\r\nhi\r\n0\r\n\r\n',
    ],
    [
      'in chunks',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
      'GET',
      200,
      'transfer-encoding',
      'chunked',
      '2\r\nhi\r\n0\r\n\r\n',
    ],
    ['to HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n', 'HEAD', 200, 'content-length', '2', ''],
    ['without content', 'HTTP/1.1 204 No Content\r\n\r\n', 'GET', 204, 'content-length', undefined, ''],
    ['not modified', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n', 'GET', 304, 'content-length', '7', ''],
    ['empty', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', 'GET', 200, 'content-length', '0', ''],
  ])('is framed anew: %s', async (_name, text, method, status, field, value, body) => {
    await start(({ socket }) => {
      if (text.includes('\r\n\r\nhi')) socket.end(text);
      else socket.write(text);
    });
    const response = await request(port, `${method} /`);
    expect(response).toMatchObject({ status, body });
    expect(response.headers[field]).toBe(value);
  });

  it('that comes before the request is whole ends the connection after it', async () => {
    await start();
    upstream.connections.clear();
    world.cluster('early', [(await openEarly()).port]);
    await world.listen(httpListener([route('/', { cluster: 'early', timeout: '0s' })]));
    const client = await RawClient.connect(port);
    client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc');
    const text = await client.ended();
    expect(parseResponse(text)).toMatchObject({ status: 413, body: 'no' });
    client.close();
  });

  it.each([
    ['a bad field', 'HTTP/1.1 200 OK\r\nfoo : bar\r\n\r\n'],
    ['both framings', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['no HTTP at all', 'hello\r\n\r\n'],
  ])('with %s becomes 502 (UPE)', async (_name, text) => {
    await start(({ socket }) => void socket.write(text));
    const response = await request(port, 'GET /');
    expect(response).toMatchObject({
      status: 502,
      body: 'upstream connect error or disconnect/reset before headers. reset reason: protocol error',
    });
    expect(world.records[0]?.responseCodeDetails).toBe('upstream_reset_before_response_started{protocol_error}');
  });

  it('that breaks off breaks off for the client too', async () => {
    await start(({ socket }) => void socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n'));
    const text = await (await RawClient.connect(port)).send('GET / HTTP/1.1\r\nhost: a\r\n\r\n').ended();
    expect(text).toContain('2\r\nhi\r\n');
    expect(text).not.toContain('0\r\n\r\n');
    expect(world.records[0]).toMatchObject({
      responseCode: 200,
      responseFlags: ResponseFlag.UpstreamProtocolError,
      responseCodeDetails: 'upstream_reset_after_response_started{protocol_error}',
    });
  });

  it('passes interim responses on', async () => {
    await start(
      ({ socket }) => void socket.write('HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n'),
    );
    const client = await RawClient.connect(port);
    const text = await client.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n').until('204');
    expect(text).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP\/1\.1 204/);
    client.close();
  });
});

describe('an upgrade', () => {
  it('passes bytes both ways once the upstream accepts it', async () => {
    await start(
      ({ head, socket }) => {
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${head.upgrade}\r\n\r\n`);
        socket.pipe(socket);
      },
      { upgradeConfigs: [{ upgradeType: 'websocket' }] },
    );
    const client = await RawClient.connect(port);
    client.send('GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nearly');
    const text = await client.until('early');
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
    expect(text.match(/upgrade: websocket/g)).toHaveLength(1);
    client.clear().send('GET / HTTP/1.1\r\n\r\n');
    await client.until('GET / HTTP/1.1\r\n\r\n');
    client.socket.end();
    await client.ended();
    await eventually(() => world.records.length === 1);
    expect(world.records[0]).toMatchObject({ responseCode: 101, bytesReceived: 23, bytesSent: 23 });
  });

  it('is refused where the connection manager does not allow it', async () => {
    await start();
    expect(await request(port, 'GET /', { connection: 'upgrade', upgrade: 'websocket' })).toMatchObject({
      status: 403,
    });
    expect(upstream.seen).toEqual([]);
  });
});

/** Answers as soon as a connection says anything, without reading the request. */
async function openEarly(): Promise<{ readonly port: number }> {
  const { createServer } = await import('node:net');
  const { listening, portOf } = await import('./peers.ts');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => void socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno'));
  });
  await listening(server);
  server.unref();
  return { port: portOf(server) };
}
