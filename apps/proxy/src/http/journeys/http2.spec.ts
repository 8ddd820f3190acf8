import { once } from 'node:events';
import http2, {
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fieldSection, frame, PREFACE } from '@flotilla/http-codec/testing';
import { formatResponseFlags } from '@flotilla/stream';
import { eventually, ok, openUpstream, RawClient, request, type Script, type Upstream } from './peers.ts';
import { httpListener, type JsonObject, openWorld, route, type World } from './world.ts';

let world: World;
const endings: (() => unknown)[] = [];

beforeEach(() => {
  world = openWorld();
  endings.push(() => world.close());
});

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** An HTTP/2 server on a free port of loopback. */
async function openH2Upstream(onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void) {
  const server = http2.createServer({ settings: { enableConnectProtocol: true } });
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session).size);
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => undefined);
    onStream(stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sessions }; // a listening TCP server
}

async function openH1Upstream(script: Script = ok): Promise<Upstream> {
  const upstream = await openUpstream(script);
  endings.push(() => upstream.close());
  return upstream;
}

const HTTP2_OPTIONS: JsonObject = {
  typedExtensionProtocolOptions: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicitHttpConfig: { http2ProtocolOptions: { allowConnect: true } },
    },
  },
};

function connect(port: number): ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  endings.push(() => session.destroy());
  return session;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: IncomingHttpHeaders | null;
  readonly rstCode: number;
}

function send(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body: string | null = null,
  trailers: OutgoingHttpHeaders | null = null,
): Promise<Answer> {
  const stream = session.request(
    { ':path': '/', ':authority': 'a.test', ...headers },
    { endStream: body === null, waitForTrailers: trailers !== null },
  );
  stream.on('error', () => undefined);
  if (trailers !== null) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  if (body !== null) stream.end(body);
  return answerOf(stream);
}

function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  let headers: IncomingHttpHeaders = {};
  let received: IncomingHttpHeaders | null = null;
  let text = '';
  stream.on('response', (fields) => (headers = fields));
  stream.on('trailers', (fields) => (received = fields));
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return new Promise((resolve) => {
    stream.on('close', () =>
      resolve({
        status: Number(headers[':status'] ?? 0),
        headers,
        body: text,
        trailers: received,
        rstCode: stream.rstCode ?? 0,
      }),
    );
  });
}

const toUp = [route('/', { cluster: 'up' })];

const direct = { match: { prefix: '/' }, directResponse: { status: 200 } };

describe('an HTTP/2 client', () => {
  it('is told by its preface, and served by HTTP/1.1 upstreams', async () => {
    const upstream = await openH1Upstream();
    world.cluster('up', [upstream.port]);
    const client = connect(await world.listen(httpListener(toUp)));
    const answer = await send(client, { ':path': '/a?b=1', 'x-one': ['1', '2'], cookie: ['a=1', 'b=2'] });
    expect(answer).toMatchObject({ status: 200, body: 'hello', headers: { server: 'envoy' } });
    const head = upstream.seen[0]?.head;
    expect(head).toMatchObject({ method: 'GET', path: '/a?b=1', authority: 'a.test', body: 'none' });
    expect(head?.headers.getAll('x-one')).toEqual(['1', '2']);
    expect(head?.headers.getAll('cookie')).toEqual(['a=1; b=2']);
    expect(world.records[0]).toMatchObject({ protocol: 'HTTP/2', responseCode: 200 });
  });

  it('is told by its preface however the bytes are cut', async () => {
    const port = await world.listen(httpListener([{ match: { prefix: '/' }, directResponse: { status: 204 } }]));
    const client = await RawClient.connect(port);
    const bytes = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
    for (const byte of bytes) client.send(byte);
    // A SETTINGS frame: length, type 4.
    await eventually(() => client.received.slice(3, 4) === '\x04');
    client.close();
  });

  it('has many requests at a time, each with its own end', async () => {
    const upstream = await openH1Upstream(({ head, socket }) => {
      const number = Number(head.path.slice(1));
      socket.write(
        `HTTP/1.1 ${number % 2 === 0 ? 200 : 404} X\r\ncontent-length: ${String(number).length}\r\n\r\n${number}`,
      );
    });
    world.cluster('up', [upstream.port]);
    const client = connect(await world.listen(httpListener(toUp)));
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => send(client, { ':path': `/${index}` })));
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
    expect(answers.map(({ status }) => status)).toEqual(
      Array.from({ length: 50 }, (_, index) => (index % 2 ? 404 : 200)),
    );
  });

  it.each<[string, OutgoingHttpHeaders, string | number]>([
    ['of known length', { 'content-length': '4' }, 4],
    ['of unknown length', {}, 'chunked'],
  ])('sends a body %s', async (_name, fields, body) => {
    const upstream = await openH1Upstream();
    world.cluster('up', [upstream.port]);
    const client = connect(await world.listen(httpListener(toUp)));
    await send(client, { ':method': 'POST', ...fields }, 'body');
    expect(upstream.seen[0]?.head.body).toBe(body);
    expect(upstream.seen[0]?.body.toString()).toBe('body');
  });

  it('gets a 431 for a head that is too large, and the connection goes on', async () => {
    const port = await world.listen(httpListener([{ match: { prefix: '/' }, directResponse: { status: 200 } }]));
    const client = connect(port);
    const many = Object.fromEntries(Array.from({ length: 110 }, (_, index) => [`x-${index}`, 'v']));
    expect((await send(client, many)).status).toBe(431);
    expect((await send(client, {})).status).toBe(200);
  });

  it('that resets its stream ends the request upstream (DR)', async () => {
    const upstream = await openH1Upstream(() => undefined);
    world.cluster('up', [upstream.port]);
    const client = connect(await world.listen(httpListener(toUp)));
    const stream = client.request({ ':path': '/', ':authority': 'a.test' });
    stream.on('error', () => undefined);
    await eventually(() => upstream.seen.length === 1);
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await eventually(() => upstream.connections.size === 0);
    expect(world.records[0]).toMatchObject({ responseCodeDetails: 'http2.remote_reset' });
    expect(formatResponseFlags(world.records[0]?.responseFlags ?? 0)).toBe('DR');
  });

  it('that goes away ends its requests (DC)', async () => {
    const upstream = await openH1Upstream(() => undefined);
    world.cluster('up', [upstream.port]);
    const client = connect(await world.listen(httpListener(toUp)));
    client.request({ ':path': '/', ':authority': 'a.test' }).on('error', () => undefined);
    await eventually(() => upstream.seen.length === 1);
    client.destroy();
    await eventually(() => world.records.length === 1);
    expect(formatResponseFlags(world.records[0]?.responseFlags ?? 0)).toBe('DC');
  });

  it('gets a reset when the response breaks off', async () => {
    const upstream = await openH1Upstream(({ socket }) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'),
    );
    world.cluster('up', [upstream.port]);
    const client = connect(await world.listen(httpListener(toUp)));
    const answer = await send(client, {});
    expect(answer).toMatchObject({ status: 200, body: 'half', rstCode: http2.constants.NGHTTP2_INTERNAL_ERROR });
  });

  it.each([
    ['a field twice that has one value', '200 OK', 'location: /a\r\nlocation: /b\r\n', 200],
    ['a field of connections', '200 OK', 'te: gzip\r\nproxy-connection: close\r\n', 200],
    ['a status that no HTTP/2 library sends', '999 Odd', '', 502],
  ])('gets what an HTTP/1.1 upstream says: %s', async (_name, line, fields, status) => {
    const upstream = await openH1Upstream(
      ({ socket }) => void socket.write(`HTTP/1.1 ${line}\r\n${fields}content-length: 2\r\n\r\nok`),
    );
    world.cluster('up', [upstream.port]);
    const client = connect(await world.listen(httpListener(toUp)));
    expect(await send(client, {})).toMatchObject({ status, body: 'ok' });
  });

  it('that expects a 100 and resets at once does no harm', async () => {
    const port = await world.listen(httpListener([{ match: { prefix: '/' }, directResponse: { status: 200 } }]));
    const client = await RawClient.connect(port);
    // HEADERS (POST / with expect: 100-continue, not whole) and RST_STREAM in one segment.
    const literal = (name: string, value: string) =>
      Buffer.concat([
        Buffer.from([0, name.length]),
        Buffer.from(name),
        Buffer.from([value.length]),
        Buffer.from(value),
      ]);
    const block = Buffer.concat([
      Buffer.from([0x83, 0x84, 0x86]),
      literal(':authority', 'a'),
      literal('expect', '100-continue'),
    ]);
    const frame = (type: number, flags: number, payload: Buffer) =>
      Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, type === 4 ? 0 : 1]), payload]);
    const bytes = [frame(4, 0, Buffer.alloc(0)), frame(1, 4, block), frame(3, 0, Buffer.from([0, 0, 0, 8]))];
    client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + Buffer.concat(bytes).toString('latin1'));
    await eventually(() => world.records.length === 1);
    client.close();
    expect((await send(connect(port), {})).status).toBe(200);
  });

  it('that reads slowly slows the upstream down', async () => {
    const chunk = Buffer.alloc(65_536, 'x');
    let written = 0;
    let isStopped = false;
    const upstream = await openH1Upstream(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      const more = () => {
        while (written < 64 * 1024 * 1024) {
          written += chunk.length;
          socket.write('10000\r\n');
          socket.write(chunk);
          if (!socket.write('\r\n')) {
            isStopped = true;
            socket.once('drain', () => {
              isStopped = false;
              more();
            });
            return;
          }
        }
        socket.end('0\r\n\r\n');
      };
      more();
    });
    world.cluster('up', [upstream.port]);
    const client = connect(await world.listen(httpListener(toUp)));
    const stream = client.request({ ':path': '/', ':authority': 'a.test' });
    await once(stream, 'response');
    let last = -1;
    // Full sockets stay full for a while before it counts.
    let turns = 0;
    await eventually(() => {
      turns = isStopped && written === last ? turns + 1 : 0;
      last = written;
      return turns > 200;
    });
    expect(written).toBeLessThan(32 * 1024 * 1024);
    let read = 0;
    stream.on('data', (data: Buffer) => (read += data.length));
    await once(stream, 'end');
    expect(read).toBe(64 * 1024 * 1024);
  });

  it('is asked to leave when the proxy drains, and may finish', async () => {
    let answer: (() => void) | null = null;
    const upstream = await openH1Upstream((seen) => (answer = () => ok(seen, 0)));
    world.cluster('up', [upstream.port]);
    const client = connect(await world.listen(httpListener(toUp)));
    const running = send(client, {});
    await eventually(() => upstream.seen.length === 1);
    const warned = once(client, 'goaway');
    world.listeners.drain();
    await warned;
    (answer as (() => void) | null)?.();
    expect(await running).toMatchObject({ status: 200, body: 'hello' });
    await eventually(() => client.destroyed === true);
  });

  it('that is idle is let go when the proxy has drained for a while', async () => {
    const client = connect(await world.listen(httpListener([direct])));
    await send(client, {});
    world.listeners.drain();
    world.clock.advance(5_000);
    await eventually(() => client.destroyed === true);
  });

  it('that asks again while the proxy drains is answered, and asked to leave with that', async () => {
    const client = connect(await world.listen(httpListener([direct])));
    await send(client, {});
    world.listeners.drain();
    const warned = once(client, 'goaway');
    expect(await send(client, {})).toMatchObject({ status: 200 });
    await warned;
    await eventually(() => client.destroyed === true);
  });
});

describe('an HTTP/2 upstream', () => {
  it('that ends its side first has its status and trailers delivered, thirty of thirty', async () => {
    const upstream = await openH2Upstream((stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '7' }));
      stream.end('part');
    });
    world.cluster('up', [upstream.port], HTTP2_OPTIONS);
    const client = connect(await world.listen(httpListener(toUp)));
    for (let call = 0; call < 30; call++) {
      const stream = client.request({ ':path': '/', ':authority': 'a.test', ':method': 'POST' }, { endStream: false });
      stream.on('error', () => undefined);
      const answer = await answerOf(stream);
      expect(answer).toMatchObject({ status: 200, body: 'part', trailers: { 'grpc-status': '7' }, rstCode: 0 });
    }
  });

  it('whose client sends a malformed field never sees the request', async () => {
    const upstream = await openH2Upstream((stream) => stream.respond({ ':status': 204 }, { endStream: true }));
    world.cluster('up', [upstream.port], HTTP2_OPTIONS);
    const client = await RawClient.connect(await world.listen(httpListener(toUp)));
    const fields = [
      [':method', 'GET'],
      [':path', '/'],
      [':scheme', 'http'],
      [':authority', 'a'],
      ['x-a', 'b\nc'],
    ] as const;
    const bytes = Buffer.concat([PREFACE, frame(4, 0, 0), frame(1, 5, 1, fieldSection(fields))]);
    await client.send(bytes.toString('latin1')).ended();
    expect(upstream.sessions.size).toBe(0);
    expect(world.records[0]).toMatchObject({ responseCodeDetails: 'http2.invalid.header.field' });
    expect(formatResponseFlags(world.records[0]?.responseFlags ?? 0)).toBe('DPE');
  });

  it('serves HTTP/1.1 clients, several on one connection', async () => {
    const upstream = await openH2Upstream((stream, headers) => {
      stream.respond({ ':status': 200, 'x-saw': `${headers[':method']} ${headers[':authority']} ${headers[':path']}` });
      stream.end('hello');
    });
    world.cluster('up', [upstream.port], HTTP2_OPTIONS);
    const port = await world.listen(httpListener(toUp));
    const answers = await Promise.all(Array.from({ length: 5 }, () => request(port, 'GET /x?y=1')));
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 200, body: '5\r\nhello\r\n0\r\n\r\n' });
      expect(answer.headers['x-saw']).toMatch(/^GET .* \/x\?y=1$/);
    }
    expect(upstream.sessions.size).toBe(1);
    expect(world.counter('cluster.up.upstream_cx_http2_total')).toBe(1);
  });

  it('gets bodies and gives trailers, both ways', async () => {
    const upstream = await openH2Upstream((stream) => {
      let text = '';
      let trailers: IncomingHttpHeaders = {};
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
      stream.on('trailers', (fields) => (trailers = fields));
      stream.on('end', () => {
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': `${text}/${String(trailers['x-check'])}` }));
        stream.end('done');
      });
    });
    world.cluster('up', [upstream.port], HTTP2_OPTIONS);
    const client = connect(await world.listen(httpListener(toUp)));
    const answer = await send(client, { ':method': 'POST' }, 'body', { 'x-check': 'ok' });
    expect(answer).toMatchObject({ status: 200, body: 'done', trailers: { 'x-sum': 'body/ok' } });
  });

  it('gets what an HTTP/1.1 client says twice', async () => {
    const upstream = await openH2Upstream((stream) => stream.respond({ ':status': 204 }, { endStream: true }));
    world.cluster('up', [upstream.port], HTTP2_OPTIONS);
    const client = await RawClient.connect(await world.listen(httpListener(toUp)));
    client.send('GET / HTTP/1.1\r\nhost: a\r\nuser-agent: one\r\nuser-agent: two\r\nconnection: close\r\n\r\n');
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 204 /);
  });

  it.each([
    ['refuses a stream', http2.constants.NGHTTP2_REFUSED_STREAM, 503, 'UR'],
    ['resets a stream', http2.constants.NGHTTP2_CANCEL, 503, 'UR'],
    ['breaks the protocol', http2.constants.NGHTTP2_PROTOCOL_ERROR, 502, 'UPE'],
  ])('that %s is answered for', async (_name, code, status, flags) => {
    const upstream = await openH2Upstream((stream) => stream.close(code));
    world.cluster('up', [upstream.port], HTTP2_OPTIONS);
    const port = await world.listen(httpListener(toUp));
    expect((await request(port, 'GET /')).status).toBe(status);
    expect(formatResponseFlags(world.records[0]?.responseFlags ?? 0)).toBe(flags);
  });

  it('that refuses a stream is asked again', async () => {
    let count = 0;
    const upstream = await openH2Upstream((stream) => {
      if (count++ === 0) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      else stream.respond({ ':status': 204 }, { endStream: true });
    });
    world.cluster('up', [upstream.port], HTTP2_OPTIONS);
    const port = await world.listen(
      httpListener([route('/', { cluster: 'up', retryPolicy: { retryOn: 'refused-stream', numRetries: 1 } })]),
    );
    expect((await world.passTimeUntil(request(port, 'GET /'))).status).toBe(204);
  });

  it('that goes away takes no more requests, and finishes those it has', async () => {
    const waiting: ServerHttp2Stream[] = [];
    const upstream = await openH2Upstream((stream) => waiting.push(stream));
    world.cluster('up', [upstream.port], HTTP2_OPTIONS);
    const port = await world.listen(httpListener(toUp));
    const first = request(port, 'GET /1');
    await eventually(() => waiting.length === 1);
    for (const session of upstream.sessions) session.close();
    await eventually(() => world.counter('cluster.up.upstream_cx_active') === 1);
    waiting[0]?.respond({ ':status': 200 }, { endStream: true });
    expect((await first).status).toBe(200);
    const second = request(port, 'GET /2');
    await eventually(() => waiting.length === 2);
    waiting[1]?.respond({ ':status': 200 }, { endStream: true });
    expect((await second).status).toBe(200);
    expect(upstream.sessions.size).toBe(2);
  });

  it('that allows few streams gets more connections', async () => {
    const waiting: ServerHttp2Stream[] = [];
    const server = http2.createServer({ settings: { maxConcurrentStreams: 2 } });
    const sessions = new Set<http2.ServerHttp2Session>();
    server.on('session', (session) => sessions.add(session).size);
    server.on('stream', (stream: ServerHttp2Stream) => waiting.push(stream));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    endings.push(() => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    world.cluster('up', [(server.address() as AddressInfo).port], HTTP2_OPTIONS); // a listening TCP server
    const port = await world.listen(httpListener(toUp));
    const warm = request(port, 'GET /');
    await eventually(() => waiting.length === 1);
    const others = [1, 2, 3].map(() => request(port, 'GET /'));
    await eventually(() => waiting.length === 4);
    for (const stream of waiting) stream.respond({ ':status': 200 }, { endStream: true });
    expect((await warm).status).toBe(200);
    for (const other of others) expect((await other).status).toBe(200);
    expect(sessions.size).toBe(2);
  });

  it('that dies breaks its requests off (UC)', async () => {
    const upstream = await openH2Upstream((stream) => stream.session?.destroy());
    world.cluster('up', [upstream.port], HTTP2_OPTIONS);
    const port = await world.listen(httpListener(toUp));
    expect((await request(port, 'GET /')).status).toBe(503);
    expect(formatResponseFlags(world.records[0]?.responseFlags ?? 0)).toBe('UC');
  });
});

describe('an upgrade', () => {
  const manager = { upgradeConfigs: [{ upgradeType: 'websocket' }], http2ProtocolOptions: { allowConnect: true } };
  const echoH1: Script = ({ socket }) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    socket.on('data', (chunk: Buffer) => void socket.write(chunk));
    socket.on('end', () => void socket.end());
  };

  it('comes by extended CONNECT and goes on by HTTP/1.1', async () => {
    const upstream = await openH1Upstream(echoH1);
    world.cluster('up', [upstream.port]);
    const client = connect(await world.listen(httpListener(toUp, manager)));
    await once(client, 'remoteSettings');
    const stream = client.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/chat',
      ':scheme': 'http',
      ':authority': 'a.test',
    });
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    expect(headers[':status']).toBe(200);
    expect(upstream.seen[0]?.head).toMatchObject({ method: 'GET', path: '/chat', upgrade: 'websocket' });
    const answer = answerOf(stream);
    stream.write('ping');
    stream.end('pong');
    expect((await answer).body).toBe('pingpong');
  });

  it('comes by HTTP/1.1 and goes on by extended CONNECT', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const upstream = await openH2Upstream((stream, headers) => {
      seen.push(headers);
      stream.respond({ ':status': 200 });
      stream.on('data', (chunk: Buffer) => void stream.write(chunk));
      stream.on('end', () => void stream.end());
    });
    world.cluster('up', [upstream.port], HTTP2_OPTIONS);
    const client = await RawClient.connect(await world.listen(httpListener(toUp, manager)));
    client.send('GET /chat HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    await eventually(() => /^HTTP\/1\.1 101 /.test(client.received));
    expect(client.received).toMatch(/upgrade: websocket/);
    expect(seen[0]).toMatchObject({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat' });
    client.send('ping');
    await eventually(() => /ping$/.test(client.received));
    client.close();
  });
});
