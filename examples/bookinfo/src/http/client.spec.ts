import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { openClient } from './client.ts';

const OPTIONS = { headers: {}, timeoutMs: 10_000 };
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** A raw server: `onRequest` gets the connection and how many requests have come before this one. */
async function openRawServer(onRequest: (socket: Socket, before: number) => void): Promise<string> {
  let requests = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('data', () => onRequest(socket, requests++)).on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function openTestClient(): ReturnType<typeof openClient> {
  const client = openClient(undefined);
  onTestFinished(client.close);
  return client;
}

test('sends once more what met a kept-open connection being closed', async () => {
  const url = await openRawServer((socket, before) => {
    if (before === 1) socket.resetAndDestroy();
    else socket.write(ANSWER);
  });
  const client = openTestClient();
  expect(await client.get(url, OPTIONS)).toEqual({ status: 200, body: 'ok' });
  expect(await client.get(url, OPTIONS)).toEqual({ status: 200, body: 'ok' });
});

test('reports a new connection that is reset', async () => {
  let requests = 0;
  const url = await openRawServer((socket) => {
    requests++;
    socket.resetAndDestroy();
  });
  await expect(openTestClient().get(url, OPTIONS)).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(requests).toBe(1);
});

test('its timeout covers the body', async () => {
  const url = await openRawServer((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'));
  await expect(openTestClient().get(url, { headers: {}, timeoutMs: 50 })).rejects.toThrow(
    `GET ${url}: no complete answer within 50 ms`,
  );
});

test('refuses an answer that is too large', async () => {
  const url = await openRawServer((socket) => {
    socket.end(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(1024 * 1024 + 1)}`);
  });
  await expect(openTestClient().get(url, OPTIONS)).rejects.toThrow('larger than 1048576 bytes');
});
