import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openUpstream, parseResponse, RawClient, type Upstream } from './peers.ts';
import { httpListener, openWorld, route, type World } from './world.ts';

let world: World;
let upstream: Upstream;
let port: number;

beforeAll(async () => {
  world = openWorld();
  upstream = await openUpstream();
  world.cluster('up', [upstream.port]);
  port = await world.listen(httpListener([route('/', { cluster: 'up' })], { normalizePath: true }));
});

afterAll(async () => {
  await world.close();
  await upstream.close();
});

const host = 'host: a\r\n';
const smuggled = 'GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n';

describe('ambiguous or malformed requests are answered, closed, and never forwarded', () => {
  it.each([
    [
      'Content-Length with Transfer-Encoding',
      `POST / HTTP/1.1\r\n${host}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      400,
    ],
    [
      'two Content-Lengths',
      `POST / HTTP/1.1\r\n${host}content-length: 0\r\ncontent-length: 37\r\n\r\n${smuggled}`,
      400,
    ],
    [
      'an unknown transfer coding',
      `POST / HTTP/1.1\r\n${host}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
      501,
    ],
    [
      'white space before the colon',
      `POST / HTTP/1.1\r\n${host}transfer-encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      400,
    ],
    ['a bare LF in the head', `GET / HTTP/1.1\r\n${host}a: b\nx: y\r\n\r\n`, 400],
    ['a folded field', `GET / HTTP/1.1\r\n${host}a: b\r\n c\r\n\r\n`, 400],
    ['NUL in a value', `GET / HTTP/1.1\r\n${host}a: b\0\r\n\r\n`, 400],
    ['two Hosts', `GET / HTTP/1.1\r\n${host}host: b\r\n\r\n`, 400],
    ['an unknown method', `BREW / HTTP/1.1\r\n${host}\r\n`, 400],
    ['HTTP/1.0', `GET / HTTP/1.0\r\n${host}\r\n`, 426],
    ['HTTP/0.9', 'GET /\r\n\r\n', 426],
    ['a TLS handshake', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03', 400],
    ['a head that is too large', `GET / HTTP/1.1\r\n${host}a: ${'a'.repeat(70_000)}\r\n\r\n`, 431],
    ['too many fields', `GET / HTTP/1.1\r\n${host}${'a: b\r\n'.repeat(101)}\r\n`, 431],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['a fragment', `GET /a#b HTTP/1.1\r\n${host}\r\n`, 400],
  ])('%s', async (_name, text, status) => {
    const before = upstream.seen.length;
    const client = await RawClient.connect(port);
    client.send(text);
    const received = await client.ended();
    expect(parseResponse(received).status).toBe(status);
    expect(parseResponse(received).headers['connection']).toBe('close');
    expect(received.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(upstream.seen.length).toBe(before);
    client.close();
  });

  it('a bad chunk in a body that is being forwarded resets the upstream', async () => {
    const client = await RawClient.connect(port);
    client.send(`POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n`);
    expect(parseResponse(await client.ended()).status).toBe(400);
    client.close();
  });

  it('are counted and recorded as protocol errors (DPE)', () => {
    expect(world.counter('http.test.downstream_cx_protocol_error')).toBeGreaterThan(10);
    expect(world.records.some(({ responseCodeDetails }) => responseCodeDetails === 'http1.codec_error')).toBe(true);
  });
});

describe('paths', () => {
  it.each([
    ['/a/../b', '/b'],
    ['/a/./b//c', '/a/b//c'],
    ['/%61%2e%2e/%2F', '/a../%2F'],
    ['/a\\b', '/a/b'],
    ['/a?b=../c', '/a?b=../c'],
  ])('%s goes upstream as %s', async (path, wanted) => {
    const client = await RawClient.connect(port);
    await client.send(`GET ${path} HTTP/1.1\r\n${host}\r\n`).until('hello');
    expect(upstream.seen.at(-1)?.head.path).toBe(wanted);
    client.close();
  });
});
