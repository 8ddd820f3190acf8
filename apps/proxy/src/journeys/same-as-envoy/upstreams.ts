import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';

/** The servers behind the proxies: two of HTTP that say what they saw, one that echoes bytes, one that is not there. */
export interface Upstreams {
  readonly blue: number;
  readonly green: number;
  readonly echo: number;
  readonly dead: number;
  close(): Promise<void>;
}

export async function startUpstreams(): Promise<Upstreams> {
  const blue = httpServer('blue');
  const green = httpServer('green');
  const echo = createTcpServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket).on('error', () => undefined));
  const dead = createTcpServer();
  const [bluePort, greenPort, echoPort, deadPort] = await Promise.all([blue, green, echo, dead].map(listen));
  await closed(dead);
  return {
    blue: bluePort ?? 0,
    green: greenPort ?? 0,
    echo: echoPort ?? 0,
    dead: deadPort ?? 0,
    async close() {
      blue.closeAllConnections();
      green.closeAllConnections();
      await Promise.all([blue, green, echo].map(closed));
    },
  };
}

async function listen(server: Server | TcpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // a listening TCP server
}

function closed(server: Server | TcpServer): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Paths decide: `/status/N`, `/hang`, `/reset`, `/cut/…` (broken off where it says), `/fail/N/key` (N times 503), `/fail-with-409/N/key`; others echo. */
function httpServer(name: string): Server {
  const failures = new Map<string, number>();
  return createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(name, request, response, Buffer.concat(chunks).toString(), failures));
  });
}

/** Responses after which the server closes the connection, by path. */
const CUTS: Readonly<Record<string, string>> = {
  '/cut/length': 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf',
  '/cut/before-body': 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n',
  '/cut/chunks': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n',
  '/cut/in-chunk': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf',
  '/cut/head': 'HTTP/1.1 200 OK\r\nfoo: b',
  '/cut/at-once': '',
};

function answer(
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
  failures: Map<string, number>,
): void {
  const path = request.url ?? '';
  response.setHeader('x-from', name);
  response.setHeader('x-internal', 'yes');
  if (path.startsWith('/hang')) return; // never answers
  if (path.startsWith('/reset')) {
    request.socket.resetAndDestroy();
    return;
  }
  const cut = CUTS[path];
  if (cut !== undefined) {
    request.socket.end(cut);
    return;
  }
  const [, kind, times, key] = /^\/(fail|fail-with-409)\/(\d+)\/(\w+)/.exec(path) ?? [];
  if (key !== undefined) {
    const failed = failures.get(key) ?? 0;
    failures.set(key, failed + 1);
    if (failed < Number(times)) {
      response.writeHead(kind === 'fail' ? 503 : 409, { 'content-length': '6' }).end('failed');
      return;
    }
  }
  const status = /^\/status\/(\d+)/.exec(path)?.[1];
  if (status !== undefined) {
    response.statusCode = Number(status);
    if (status === '204' || status === '304') response.end();
    else response.end(`status ${status}\n`);
    return;
  }
  const saw = Buffer.from(
    JSON.stringify({ name, method: request.method, path, headers: normalised(request.rawHeaders), body }),
  );
  if (path.endsWith('/chunked')) {
    response.write(saw.subarray(0, 10));
    response.end(saw.subarray(10));
  } else {
    response.setHeader('content-length', saw.length);
    response.end(saw);
  }
}

/** What the upstream saw, sorted, without what must differ: the request id, and the port of the proxy. */
function normalised(raw: readonly string[]): string[] {
  const fields: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const field = raw[index] ?? '';
    let value = raw[index + 1] ?? '';
    if (field === 'x-request-id') value = '<id>';
    // What is left of the time-out when a retry goes out, after a random back-off that may be nothing.
    if (field === 'x-envoy-expected-rq-timeout-ms') value = value.replace(/^(149\d\d|15000)$/, '<about 15000>');
    if (field === 'host') value = value.replace(/^127\.0\.0\.1:\d+$/, '<proxy>');
    fields.push(`${field}: ${value}`);
  }
  return fields.sort();
}
