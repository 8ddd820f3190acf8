import { once } from 'node:events';
import type { ServerOptions } from 'node:http';
import { connect, type Socket } from 'node:net';
import { silentLogger } from '@flotilla/observe';
import { FlotillaError } from '@flotilla/runtime';
import { afterEach, expect, test } from 'vitest';
import { createHttp1Server, HTTP1_OPTIONS, type HttpPort, openHttpPort } from './open-http-port.ts';
import { checkPlaintext } from './plaintext.ts';

const opened: HttpPort[] = [];
afterEach(async () => {
  for (const port of opened.splice(0)) await port.close();
});

async function open(bounds: ServerOptions = {}): Promise<HttpPort> {
  const port = await openHttpPort({
    name: 'the test',
    address: { host: '127.0.0.1', port: 0 },
    hosts: [],
    logger: silentLogger,
    bounds,
    handler: (_, response) => response.end('here'),
  });
  opened.push(port);
  return port;
}

async function dial({ address }: HttpPort): Promise<Socket> {
  const socket = connect(address.port, address.host);
  await once(socket, 'connect');
  return socket;
}

async function say(port: HttpPort, text: string): Promise<string> {
  const socket = await dial(port);
  socket.setEncoding('utf8').write(text);
  let said = '';
  for await (const chunk of socket) said += chunk;
  return said;
}

test('the guard stands before the handler, and every answer tells browsers what it is', async () => {
  const port = await open();
  const ask = (host: string) => say(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const answer = await ask('127.0.0.1');
  expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
  expect(answer.toLowerCase()).toMatch(/x-content-type-options: nosniff/);
  expect(answer.toLowerCase()).toMatch(/cross-origin-resource-policy: same-origin/);
  expect(await ask('evil.example')).toMatch(/^HTTP\/1\.1 403 [^]*"evil\.example" is not a name of this port/);
});

test('a connection that says nothing, half a head or half a body is closed', async () => {
  const bounds = { headersTimeout: 100, requestTimeout: 200, keepAliveTimeout: 100, connectionsCheckingInterval: 20 };
  const port = await open(bounds);
  const answers = await Promise.all(
    ['', 'GET / HTTP/1.1\r\nHo', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc'].map((text) =>
      say(port, text),
    ),
  );
  expect(answers).toEqual([
    expect.stringMatching(/^(?:HTTP\/1\.1 408 |$)/),
    expect.stringMatching(/^HTTP\/1\.1 408 /),
    expect.stringMatching(/^HTTP\/1\.1 /),
  ]);
  // Answered, and then no further request.
  expect(await say(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
});

test('every phase of a connection is bounded unless somebody says otherwise', () => {
  expect(HTTP1_OPTIONS).toMatchObject({ headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 60_000 });
});

test('a server knows how many connections it takes', () => {
  const owner = { onError: () => undefined, onMessageError: () => undefined };
  expect(createHttp1Server(() => undefined, owner).maxConnections).toBe(4096);
});

test('plaintext stays on loopback unless the user says so, and then it is said at every start', () => {
  const warnings: string[] = [];
  const logger = { warn: (text: string) => void warnings.push(text) };
  const check = (host: string, isAllowed: boolean) =>
    checkPlaintext({ what: 'the API', address: { host, port: 9901 }, isAllowed, logger });
  for (const host of ['127.0.0.1', '127.8.0.1', '::1', 'localhost']) check(host, false);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'mesh.example.com', '127.0.0.1.evil.example']) {
    expect(() => check(host, false)).toThrow(FlotillaError);
    expect(() => check(host, false)).toThrow('would be open to the network');
  }
  expect(warnings).toEqual([]);
  check('0.0.0.0', true);
  expect(warnings).toEqual([expect.stringContaining('0.0.0.0:9901 is open to the network, without TLS')]);
});
