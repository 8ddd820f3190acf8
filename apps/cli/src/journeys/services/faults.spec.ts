import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReusableToken } from '@flotilla/citadel';
import { systemClock } from '@flotilla/runtime';
import { startRedisServer, withPeer } from '@flotilla/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PortAllocator } from '../../supervisor/ports.ts';
import { runFlotilla } from '../mesh.ts';
import { fetchText, isReady, until } from './poll.ts';
import { type ServiceName, ServiceProcess } from './process.ts';

let scratch: string;
let ca: string;
let citadel: ServiceProcess;
const ports = new PortAllocator();
const started: ServiceProcess[] = [];
const secret = (name: string) => join(scratch, 'secrets', name);

function start(program: ServiceName, args: readonly string[]): ServiceProcess {
  const service = new ServiceProcess(program, program, args).start();
  started.push(service);
  return service;
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'flotilla-faults-'));
  mkdirSync(join(scratch, 'config'));
  await runFlotilla(['secrets', '--out', join(scratch, 'secrets'), '--workload', 'default/reviews']);
  const [listen, status] = [await ports.free(), await ports.free()];
  ca = `https://127.0.0.1:${listen}`;
  citadel = new ServiceProcess('citadel', 'citadel', [
    ...['--listen', `127.0.0.1:${listen}`, '--status-address', `127.0.0.1:${status}`],
    ...['--root-certificate-file', secret('root-cert.pem'), '--root-key-file', secret('root-key.pem')],
    ...['--token-key-file', secret('token-key.pem'), '--token-state', join(scratch, 'citadel')],
  ]).start();
  await until('citadel is ready', () => isReady(`http://127.0.0.1:${status}`));
});
afterEach(() => Promise.all(started.splice(0).map((service) => service.end('SIGKILL'))));
afterAll(async () => {
  expect(await citadel.end('SIGTERM')).toBe(0);
  rmSync(scratch, { recursive: true, force: true });
});

const galley = (more: readonly string[], token = secret('tokens/istio-system.galley')): readonly string[] => [
  ...['--ca', ca, '--ca-roots', secret('root-cert.pem'), '--token-file', token],
  ...['--data', join(scratch, 'data'), '--listen', '127.0.0.1:0', '--status-address', '127.0.0.1:0'],
  ...more,
];

/** Its last words, once it has ended with `code`. */
async function endsWith(code: number, program: ServiceName, args: readonly string[]): Promise<string> {
  const service = start(program, args);
  expect(await service.exited(), service.output).toBe(code);
  return service.output;
}

function tokenFile(text: string): string {
  const file = join(scratch, 'token');
  writeFileSync(file, text);
  return file;
}

const tokenFor = (serviceAccount: string, ttlMs: number, nowMs = Date.now(), trustDomain = 'cluster.local') =>
  createReusableToken(
    readFileSync(secret('token-key.pem'), 'utf8'),
    { id: { trustDomain, namespace: 'istio-system', serviceAccount }, workload: '' },
    ttlMs,
    { ...systemClock, now: () => nowMs },
  );

describe('a service says what is wrong and what to do, once, and ends', () => {
  it('with a token that nobody made', async () => {
    const said = await endsWith(1, 'galley', galley([], tokenFile('eyJ.guessed.token')));
    expect(said).toContain('no certificate for spiffe://cluster.local/ns/istio-system/sa/galley');
    expect(said).toContain('the bootstrap token is refused');
    expect(said).toContain('Make a new one with: flotilla token');
  });

  it('with a token that has expired', async () => {
    const expired = tokenFor('galley', 1_000, Date.now() - 3_600_000);
    expect(await endsWith(1, 'galley', galley([], tokenFile(expired)))).toMatch(/it expired on \d{4}-/);
  });

  it('with a token from a clock that runs ahead', async () => {
    const early = tokenFor('galley', 3_600_000, Date.now() + 600_000);
    expect(await endsWith(1, 'galley', galley([], tokenFile(early)))).toContain('it was issued in the future');
  });

  it("with another's token", async () => {
    const said = await endsWith(1, 'galley', galley([], secret('tokens/default.reviews')));
    expect(said).toContain('this caller may have only spiffe://cluster.local/ns/default/sa/reviews');
  });

  it('with a token of another trust domain', async () => {
    const foreign = tokenFor('galley', 3_600_000, Date.now(), 'other.example');
    expect(await endsWith(1, 'galley', galley([], tokenFile(foreign)))).toContain(
      'it is for spiffe://other.example/ns/istio-system/sa/galley, of another trust domain',
    );
  });

  it('with a trust domain that is not that of citadel', async () => {
    const service = start('galley', galley(['--trust-domain', 'other.example']));
    await expect
      .poll(() => service.output, { timeout: 20_000 })
      .toMatch(
        /the server is spiffe:\/\/cluster\.local\/ns\/istio-system\/sa\/citadel, expected spiffe:\/\/other\.example/,
      );
  });

  it("with a root that is not citadel's trust domain", async () => {
    const said = await endsWith(1, 'citadel', [
      ...['--listen', '127.0.0.1:0', '--status-address', '127.0.0.1:0', '--trust-domain', 'other.example'],
      ...['--root-certificate-file', secret('root-cert.pem'), '--root-key-file', secret('root-key.pem')],
      ...['--token-key-file', secret('token-key.pem'), '--token-state', join(scratch, 'citadel')],
    ]);
    expect(said).toContain(
      'the root certificate is the root of \\"spiffe://cluster.local\\", but the trust domain is \\"other.example\\"',
    );
  });

  it('with a port that is taken', async () => {
    const holder = createServer();
    await once(holder.listen(0, '127.0.0.1'), 'listening');
    const { port } = holder.address() as AddressInfo; // A listening TCP server always has one.
    const said = await endsWith(1, 'galley', galley(['--listen', `127.0.0.1:${port}`]));
    expect(said).toContain(`cannot listen on 127.0.0.1:${port}: the port is in use`);
    expect(said).toContain('Stop what listens there, or choose another address');
    holder.close();
  });

  it('with settings that cannot be: all of them at once', async () => {
    const said = await endsWith(2, 'pilot', [
      ...['--xds-tls', 'everywhere', '--debounce-quiet', 'soon', '--no-such-thing', '1'],
      ...['--admins', 'alice', '--mesh-config', '/nowhere.yaml'],
    ]);
    for (const part of ['--xds-tls:', '--debounce-quiet:', 'there is no option --no-such-thing', '--admins:']) {
      expect(said).toContain(part);
    }
  });

  it.each([
    ['no identity', ['--galley', 'https://g:1'], 'no identity: give --ca and --token-file'],
    ['no token', ['--galley', 'https://g:1', '--ca', 'https://c:1'], '--ca needs a bootstrap token'],
    ['plaintext citadel', ['--galley', 'https://g:1', '--ca', 'http://c:1', '--token', 'x'], 'https://host:port'],
    ['no galley', ['--ca', 'https://c:1', '--token', 'x'], 'give --galley'],
  ])('with %s', async (_, args, message) => {
    expect(await endsWith(2, 'pilot', ['--status-address', '127.0.0.1:0', ...args])).toContain(message);
  });

  it('a proxy with settings that cannot be', async () => {
    const said = await endsWith(2, 'proxy', ['--workload', 'a', '--ip', 'here', '--port', 'name=http', '--label', 'x']);
    for (const part of ['--ip: "here" is not an IP address', 'it needs name and port', '"x" is not a label']) {
      expect(said).toContain(part);
    }
  });
});

describe('a service that waits', () => {
  it('runs and is not ready, says for what, and is ready when that comes', async () => {
    const [listen, status, galleyStatus] = [await ports.free(), await ports.free(), await ports.free()];
    const waiting = start('galley', [
      ...['--ca', `https://127.0.0.1:${listen}`, '--ca-roots', secret('root-cert.pem')],
      ...['--token-file', secret('tokens/istio-system.galley'), '--data', join(scratch, 'waiting')],
      ...['--config', join(scratch, 'config'), '--listen', '127.0.0.1:0'],
      ...['--status-address', `127.0.0.1:${galleyStatus}`],
    ]);
    const url = `http://127.0.0.1:${galleyStatus}`;
    await expect.poll(async () => (await fetchText(`${url}/healthz`)).status, { timeout: 20_000 }).toBe(200);
    expect(await fetchText(`${url}/readyz`)).toMatchObject({
      status: 503,
      text: expect.stringContaining(`not ready: waiting for a certificate from https://127.0.0.1:${listen}\n`),
    });
    start('citadel', [
      ...['--listen', `127.0.0.1:${listen}`, '--status-address', `127.0.0.1:${status}`],
      ...['--root-certificate-file', secret('root-cert.pem'), '--root-key-file', secret('root-key.pem')],
      ...['--token-key-file', secret('token-key.pem'), '--token-state', join(scratch, 'second-citadel')],
    ]);
    await expect.poll(() => isReady(url), { timeout: 20_000 }).toBe(true);
    expect((await fetchText(`${url}/metrics`)).text).toContain('process_resident_memory_bytes');
    expect(await waiting.end('SIGTERM')).toBe(0);
    expect(waiting.log.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['ready', 'stopping']));
  });

  it('ends at once when it is told to', async () => {
    const waiting = start('galley', [
      ...['--ca', `https://127.0.0.1:${await ports.free()}`, '--token', 'x', '--data', join(scratch, 'waiting')],
      ...['--listen', '127.0.0.1:0', '--status-address', '127.0.0.1:0'],
    ]);
    await expect.poll(() => waiting.output, { timeout: 20_000 }).toContain('waiting for the certificate authority');
    expect(await waiting.end('SIGTERM')).toBe(0);
  });
});

withPeer('redis-server', (redisProgram) => {
  describe('galley on Redis', () => {
    const onRedis = (url: string, status: string): readonly string[] => [
      ...['--ca', ca, '--ca-roots', secret('root-cert.pem'), '--token-file', secret('tokens/istio-system.galley')],
      ...['--redis-url', url, '--listen', '127.0.0.1:0', '--status-address', status],
      ...['--inventory', mkdtempSync(join(scratch, 'inventory-'))],
    ];

    it('waits for it at the start, says where it looks, and stays ready for readers when it goes', async () => {
      const redis = await startRedisServer({ program: redisProgram });
      try {
        await redis.kill();
        const status = `127.0.0.1:${await ports.free()}`;
        const waiting = start('galley', onRedis(redis.url, status));
        await expect
          .poll(async () => (await fetchText(`http://${status}/readyz`)).text, { timeout: 20_000 })
          .toContain('not ready: waiting for Redis');
        expect(waiting.output).toMatch(/waiting for Redis at 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
        await redis.restart();
        await expect.poll(() => isReady(`http://${status}`), { timeout: 20_000 }).toBe(true);
        const outages = () => waiting.output.match(/waiting for Redis at/g)?.length ?? 0;
        const before = outages();
        await redis.kill();
        await expect.poll(outages, { timeout: 20_000 }).toBeGreaterThan(before);
        expect(await isReady(`http://${status}`)).toBe(true);
        expect(await waiting.end('SIGTERM')).toBe(0);
      } finally {
        await redis.close();
      }
    });

    it('ends when what it finds there is not its own', async () => {
      const redis = await startRedisServer({ program: redisProgram });
      try {
        await redis.command('SET', '{flotilla}:resources', 'of another program');
        const said = await endsWith(1, 'galley', onRedis(redis.url, '127.0.0.1:0'));
        expect(said).toContain('{flotilla}:resources');
        expect(said).toContain('"hint"');
      } finally {
        await redis.close();
      }
    });
  });
});
