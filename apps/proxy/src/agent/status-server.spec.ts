import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { HttpPort } from '@flotilla/http-port';
import { silentLogger } from '@flotilla/observe';
import { serveStatus } from './status-server.ts';

let admin: Server;
let status: HttpPort;
let missing: string | null;
let isStarted: boolean;

beforeEach(async () => {
  missing = 'waiting for the configuration from pilot';
  isStarted = true;
  admin = createServer((request, response) => response.end(`metrics at ${request.url}`));
  await once(admin.listen(0, '127.0.0.1'), 'listening');
  // A listening TCP server always has one.
  const { port } = admin.address() as AddressInfo;
  status = await serveStatus({
    address: { host: '127.0.0.1', port: 0 },
    hosts: [],
    logger: silentLogger,
    missing: () => missing,
    admin: () => (isStarted ? { host: '127.0.0.1', port } : null),
  });
});
afterEach(async () => {
  await status.close();
  admin.closeAllConnections();
  admin.close();
});

async function ask(path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${status.address.port}${path}`, { method });
  return { status: response.status, text: await response.text() };
}

it.each(['/healthz/ready', '/readyz'])('%s says what is missing, and 200 when nothing is', async (path) => {
  expect(await ask(path)).toEqual({ status: 503, text: 'not ready: waiting for the configuration from pilot\n' });
  missing = null;
  expect((await ask(path)).status).toBe(200);
});

it('is alive before it is ready', async () => {
  expect((await ask('/healthz')).status).toBe(200);
});

it.each(['/metrics', '/stats/prometheus'])("%s passes on the proxy's statistics", async (path) => {
  expect(await ask(path)).toEqual({ status: 200, text: 'metrics at /stats/prometheus' });
  isStarted = false;
  expect((await ask(path)).status).toBe(503);
});

it('says that the statistics cannot be had when the proxy does not answer', async () => {
  admin.closeAllConnections();
  admin.close();
  expect(await ask('/metrics')).toMatchObject({ status: 502, text: expect.stringContaining('cannot be had') });
});

it('shows nothing else, and changes nothing', async () => {
  expect((await ask('/config_dump')).status).toBe(404);
  expect((await ask('/healthz', 'POST')).status).toBe(405);
});
