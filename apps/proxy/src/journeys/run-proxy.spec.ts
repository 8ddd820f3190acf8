import { type AddressInfo, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { silentLogger } from '@flotilla/observe';
import { systemClock } from '@flotilla/runtime';
import { freePort } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readBootstrap } from '../bootstrap/decode.ts';
import { runProxy } from '../process/run-proxy.ts';
import { startProxyWithWorkers } from '../process/workers.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-run-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const TYPE = 'type.googleapis.com/envoy.extensions';

function yaml(port: number, adminPort: number, extra = ''): string {
  return `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ${adminPort} } } }
static_resources:
  listeners:
    - name: http
      address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": ${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ingress
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: { "@type": ${TYPE}.filters.http.router.v3.Router }
                route_config:
                  virtual_hosts:
                    - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }
${extra}`;
}

async function write(text: string): Promise<string> {
  const file = join(folder, 'envoy.yaml');
  await writeFile(file, text);
  return file;
}

async function run(file: string, mode: 'serve' | 'validate'): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const sink = (name: 'out' | 'err') =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        written[name] += chunk.toString();
        done();
      },
    });
  const code = await runProxy({
    configPath: file,
    mode,
    concurrency: 1,
    logLevel: 'error',
    logFormat: 'json',
    until: new Promise(() => undefined),
    standardOutput: sink('out'),
    standardError: sink('err'),
  });
  return { code, ...written };
}

/** Status and body; a new connection each time. */
function fetchPage(port: number, path: string, options: { method?: string; host?: string } = {}) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const { method = 'GET', host } = options;
    get(
      { host: '127.0.0.1', port, path, method, agent: false, headers: host === undefined ? {} : { host } },
      (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    ).on('error', reject);
  });
}

describe('validating a bootstrap file', () => {
  it('says that it is fine, as Envoy does', async () => {
    const file = await write(yaml(0, 0));
    expect(await run(file, 'validate')).toEqual({ code: 0, out: `configuration '${file}' OK\n`, err: '' });
  });

  it('says everything that is wrong, with its place', async () => {
    const file = await write(yaml(0, 0, '  clusters:\n    - { name: web, type: STATIC, typo: 1 }\nno_such_field: 1\n'));
    const { code, err } = await run(file, 'validate');
    expect(code).toBe(1);
    expect(err.split('\n')).toEqual([
      `${file}:20:34: static_resources.clusters[0].typo: unknown field "typo" in envoy.config.cluster.v3.Cluster`,
      `${file}:21:1: no_such_field: unknown field "no_such_field" in envoy.config.bootstrap.v3.Bootstrap`,
      '',
    ]);
  });

  it('compiles what it has decoded', async () => {
    const text = yaml(
      0,
      0,
      '  clusters:\n    - { name: web, type: STATIC, lb_policy: RING_HASH, filters: [{ name: x }] }\nstats_sinks: [{ name: x }]\n',
    );
    const file = await write(
      text.replace('routes: [{ match: { prefix: / }', 'routes: [{ match: { safe_regex: { regex: "(" } }'),
    );
    const { code, err } = await run(file, 'validate');
    expect(code).toBe(1);
    expect(err).toContain(`${file}:21:1: stats_sinks: is not supported`);
    expect(err).toMatch(/:20:56: static_resources\.clusters\[0\]\.filters: is not supported/);
    expect(err).toMatch(/:5:7: static_resources\.listeners\[0\]: listener "http": .*not a regular expression/);
  });

  it('refuses a file that is not there', async () => {
    await expect(run(join(folder, 'none.yaml'), 'validate')).rejects.toMatchObject({ code: 'system' });
  });

  it('refuses to serve on a port that is taken, and says which', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo; // a listening TCP server
    const file = await write(yaml(port, 0));
    await expect(run(file, 'serve')).rejects.toThrow(
      `listener "http" cannot listen on 127.0.0.1:${port}: the port is in use`,
    );
    taken.close();
  });
});

describe('several processes', () => {
  it('share the ports, count as one, and come back after a crash', { timeout: 60_000 }, async () => {
    const port = await freePort();
    const { bootstrap } = await readBootstrap(await write(yaml(port, 0)));
    if (bootstrap === null) throw new Error('the bootstrap is valid');
    const proxy = await startProxyWithWorkers({
      bootstrap,
      logger: silentLogger,
      clock: systemClock,
      random: () => 0,
      concurrency: 2,
    });
    try {
      await proxy.ready;
      const admin = proxy.admin?.port ?? 0;
      for (let sent = 0; sent < 40; sent++) expect((await fetchPage(port, '/')).status).toBe(200);
      const counted = await fetchPage(admin, '/stats?filter=ingress.downstream_rq_2xx');
      expect(counted.body).toBe('http.ingress.downstream_rq_2xx: 40\n');
      const own = proxy.stats().find(({ name }) => name === 'http.ingress.downstream_rq_2xx')?.metric;
      expect(own).toMatchObject({ value: expect.toSatisfy((value: number) => value > 0 && value < 40) });
      const [worker = 0] = proxy.workerPids();
      process.kill(worker, 'SIGKILL');
      await vi.waitFor(async () => {
        const [next = 0] = proxy.workerPids();
        expect(next).not.toBe(0);
        expect(next).not.toBe(worker);
        // Connections that waited in the dead worker's queue are reset; the next one finds a living process.
        expect((await fetchPage(port, '/')).status).toBe(200);
      });
    } finally {
      await proxy.close();
    }
    await expect(fetchPage(port, '/')).rejects.toThrow('ECONNREFUSED');
  });

  it('are started again when they live but do not answer', { timeout: 90_000 }, async () => {
    const { bootstrap } = await readBootstrap(await write(yaml(await freePort(), 0)));
    if (bootstrap === null) throw new Error('the bootstrap is valid');
    const options = { bootstrap, logger: silentLogger, clock: systemClock, random: () => 0, concurrency: 2 };
    const proxy = await startProxyWithWorkers(options);
    try {
      await proxy.ready;
      const [worker = 0] = proxy.workerPids();
      process.kill(worker, 'SIGSTOP');
      await vi.waitFor(() => expect(proxy.workerPids()).not.toContain(worker), { timeout: 60_000, interval: 200 });
    } finally {
      await proxy.close();
    }
  });

  it('finish what they do when they are asked to stop', { timeout: 60_000 }, async () => {
    const waiting: Socket[] = [];
    const upstream = createServer((socket) => socket.once('data', () => waiting.push(socket)));
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port: upstreamPort } = upstream.address() as AddressInfo; // a listening TCP server
    const port = await freePort();
    const text = yaml(port, 0, cluster('up', upstreamPort));
    const { bootstrap } = await readBootstrap(
      await write(text.replace('direct_response: { status: 200 }', 'route: { cluster: up }')),
    );
    if (bootstrap === null) throw new Error('the bootstrap is valid');
    const options = { bootstrap, logger: silentLogger, clock: systemClock, random: () => 0, concurrency: 2 };
    const proxy = await startProxyWithWorkers(options);
    await proxy.ready;
    const answers = Array.from({ length: 20 }, () => fetchPage(port, '/'));
    await vi.waitFor(() => expect(waiting).toHaveLength(20), { timeout: 20_000 });
    const stopped = proxy.stop({ drainMs: 20_000 });
    await vi.waitFor(() => expect(fetchPage(port, '/')).rejects.toThrow('ECONNREFUSED'), { timeout: 20_000 });
    for (const socket of waiting) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate');
    expect(await Promise.all(answers)).toEqual(Array(20).fill({ status: 200, body: 'late' }));
    await stopped;
    expect(proxy.workerPids()).toEqual([]);
    upstream.close();
  });

  it.each([
    ['a port that another program shares in the same way', 'the port is in use'],
    ['any free port', 'several processes cannot share port 0'],
    ['a control plane', 'several processes need a static bootstrap'],
  ])('refuse %s', async (_case, message) => {
    const taken = createServer();
    taken.listen({ port: 0, host: '127.0.0.1', reusePort: true });
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo; // a listening TCP server
    const text = message.includes('static')
      ? yaml(await freePort(), 0, 'dynamic_resources: { lds_config: { resource_api_version: V3, ads: {} } }\n')
      : yaml(message.includes('port 0') ? 0 : port, 0);
    const { bootstrap } = await readBootstrap(await write(text));
    if (bootstrap === null) throw new Error('the bootstrap can be read');
    const options = { bootstrap, logger: silentLogger, clock: systemClock, random: () => 0, concurrency: 2 };
    await expect(startProxyWithWorkers(options)).rejects.toThrow(message);
    taken.close();
  });
});

function cluster(name: string, port: number): string {
  const endpoint = `{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }`;
  return (
    `  clusters:\n    - { name: ${name}, type: STATIC, connect_timeout: 1s, load_assignment: { cluster_name: ${name}, ` +
    `endpoints: [{ lb_endpoints: [${endpoint}] }] } }\n`
  );
}

describe('administration pages', () => {
  it('are changed by POST only, and answer no foreign name', async () => {
    const { bootstrap } = await readBootstrap(await write(yaml(0, 0)));
    if (bootstrap === null) throw new Error('the bootstrap is valid');
    const quit = Promise.withResolvers<void>();
    const proxy = await startProxyWithWorkers({
      bootstrap,
      logger: silentLogger,
      clock: systemClock,
      random: Math.random,
      onQuit: quit.resolve,
    });
    try {
      await proxy.ready;
      const admin = proxy.admin?.port ?? 0;
      const status = async (path: string, options?: { method?: string; host?: string }) =>
        (await fetchPage(admin, path, options)).status;
      expect(await status('/ready')).toBe(200);
      expect(await status('/ready', { host: 'localhost:1' })).toBe(200);
      expect(await status('/ready', { host: 'rebound.example' })).toBe(403);
      expect(await status('/nothing')).toBe(404);
      for (const path of ['/quitquitquit', '/drain_listeners', '/healthcheck/fail', '/logging', '/reset_counters']) {
        expect(await status(path)).toBe(405);
      }
      expect(await status('/healthcheck/fail', { method: 'POST' })).toBe(200);
      expect(await status('/ready')).toBe(503);
      expect(await status('/healthcheck/ok', { method: 'POST' })).toBe(200);
      expect((await fetchPage(admin, '/logging?level=debug', { method: 'POST' })).body).toContain('proxy: debug');
      expect(await status('/logging?level=loud', { method: 'POST' })).toBe(400);
      for (const path of [
        '/',
        '/certs',
        '/clusters?format=json',
        '/init_dump',
        '/memory',
        '/runtime',
        '/stats/prometheus',
      ]) {
        expect(await status(path)).toBe(200);
      }
      expect(JSON.parse((await fetchPage(admin, '/server_info')).body)).toMatchObject({ state: 'LIVE' });
      expect(JSON.parse((await fetchPage(admin, '/listeners?format=json')).body)).toMatchObject({
        listener_statuses: [{ name: 'http', local_address: { socket_address: { address: '127.0.0.1' } } }],
      });
      const dump = JSON.parse((await fetchPage(admin, '/config_dump?include_eds')).body) as { configs: object[] }; // ConfigDump
      expect(dump.configs.map((config) => Object.values(config)[0])).toEqual(
        ['Bootstrap', 'Clusters', 'Endpoints', 'Listeners', 'Routes', 'Secrets'].map(
          (name) => `type.googleapis.com/envoy.admin.v3.${name}ConfigDump`,
        ),
      );
      expect(await status('/quitquitquit', { method: 'POST' })).toBe(200);
      await quit.promise;
    } finally {
      await proxy.close();
    }
  });
});
