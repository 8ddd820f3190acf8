import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program, repository, runFlotilla } from './mesh.ts';

const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: db }
spec:
  selector: { app: db }
  ports: [{ name: tcp-db, port: 5432 }]
`;

interface Ready {
  readonly ready: true;
  readonly xds: string;
  readonly xdsTls: string;
  readonly ca: string;
  readonly api: string;
}

describe('flotilla control-plane', () => {
  let scratch: string;
  let child: ChildProcess;
  let ready: Ready;
  let collector: Server;
  const spans: string[] = [];

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'flotilla-cp-'));
    mkdirSync(join(scratch, 'config'));
    writeFileSync(join(scratch, 'config/db.yaml'), SERVICE);
    collector = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => spans.push(chunk.toString()));
      request.on('end', () => response.setHeader('content-type', 'application/json').end('{}'));
    });
    await once(collector.listen(0, '127.0.0.1'), 'listening');
    // A listening TCP server always has an AddressInfo.
    const { port } = collector.address() as AddressInfo;
    child = spawn(
      process.execPath,
      [
        program,
        'control-plane',
        ...['-f', join(scratch, 'config'), '--xds', '127.0.0.1:0', '--xds-tls', '127.0.0.1:0'],
        ...['--ca', '127.0.0.1:0', '--api', '127.0.0.1:0', '--otlp-endpoint', `http://127.0.0.1:${port}`],
      ],
      { cwd: repository, env: { ...process.env, FLOTILLA_HOME: scratch }, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    if (child.stdout === null) throw new Error('the command has no standard output');
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    // The command's own documented output.
    ready = JSON.parse(line) as Ready;
  });
  afterAll(async () => {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
    collector.closeAllConnections();
    collector.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  const run = (...args: string[]) => runFlotilla(args, { FLOTILLA_HOME: scratch });

  it('says where everything is', () => {
    expect(ready).toMatchObject({
      ready: true,
      xds: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      xdsTls: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      ca: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
      api: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    });
  });

  it('has what the directory has, and follows it', async () => {
    expect((await run('get', 'service', 'db')).stdout).toContain('db.yaml:2');
    writeFileSync(join(scratch, 'config/db.yaml'), SERVICE.replace('name: db', 'name: database'));
    await expect.poll(async () => (await run('get', 'service', 'database')).code, { timeout: 5_000 }).toBe(0);
    expect((await run('get', 'service', 'db')).code).toBe(1);
  });

  it('keeps the last good version of a file that breaks', async () => {
    writeFileSync(join(scratch, 'config/db.yaml'), 'kind: [');
    writeFileSync(join(scratch, 'config/other.yaml'), SERVICE.replace('name: db', 'name: other'));
    await expect.poll(async () => (await run('get', 'service', 'other')).code, { timeout: 5_000 }).toBe(0);
    expect((await run('get', 'service', 'database')).code).toBe(0);
  });

  it('makes tokens for its owner, and for nobody else', async () => {
    const token = await run('token', '--service-account', 'reviews');
    expect(token.stdout.trim().split('.')).toHaveLength(3);
    const stranger = await run('token', '--service-account', 'reviews', '--token', 'guessed');
    expect(stranger.code).toBe(1);
    expect(stranger.stderr).toContain('the admin token is not that of this mesh');
  });

  it('answers probes and shows its metrics', async () => {
    expect((await fetch(`${ready.api}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${ready.api}/metrics`)).text();
    expect(metrics).toMatch(/^pilot_services\S* \d+/m);
  });

  it('sends a span of every call to the collector', async () => {
    await expect.poll(() => spans.join(''), { timeout: 5_000 }).toContain('flotilla.galley.v1.GalleyService/List');
  });

  it('answers plain JSON by HTTP, whom the token proves to be its owner', async () => {
    const list = async (headers: Record<string, string>): Promise<unknown> => {
      const response = await fetch(`${ready.api}/flotilla.galley.v1.GalleyService/List`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ kind: 'Service' }),
      });
      return response.json();
    };
    const token = /FLOTILLA_ADMIN_TOKEN=(.*)/.exec((await run('env')).stdout)?.[1] ?? '';
    expect(await list({ authorization: `Bearer ${token}` })).toMatchObject({ resources: expect.any(Array) });
    expect(await list({})).toMatchObject({ code: 'unauthenticated' });
  });

  it.each([
    'flotilla.galley.v1.GalleyService/Get',
    'flotilla.citadel.v1.CitadelService/CreateToken',
    'flotilla.pilot.v1.PilotService/ListProxies',
  ])('reads 3 MiB of its owner, and not of a stranger: %s', async (method) => {
    const send = async (headers: Record<string, string>): Promise<unknown> => {
      const response = await fetch(`${ready.api}/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: `{${' '.repeat(3 << 20)}"unknown": 1}`,
      });
      return response.json();
    };
    const token = /FLOTILLA_ADMIN_TOKEN=(.*)/.exec((await run('env')).stdout)?.[1] ?? '';
    expect(await send({ authorization: `Bearer ${token}` })).not.toMatchObject({ code: 'resource_exhausted' });
    expect(await send({ authorization: 'Bearer guessed' })).toMatchObject({ code: 'resource_exhausted' });
    expect(await send({})).toMatchObject({ code: 'resource_exhausted' });
  });

  it.each(['--api', '--xds'])('does not open %s to the network without being told to', async (port) => {
    const { code, stderr } = await run('control-plane', port, '0.0.0.0:0');
    expect(code).toBe(2);
    expect(stderr).toMatch(/0\.0\.0\.0:0 would be open to the network[^]*--allow-plaintext/);
  });
});
