import { createHash, type Hash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import http2 from 'node:http2';
import { type AddressInfo, connect, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import * as grpc from '@grpc/grpc-js';
import type { WorkloadCertificate } from '@flotilla/spiffe';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProxyProcess, startProxyProcess } from './proxy-process.ts';

/*
 * A client's proxy and a server's, with mutual TLS and HTTP/2 between them, as in a mesh. What passes through is told by
 * its hash; how much of it either holds at a time, by its memory.
 */

const MIB = 1024 * 1024;
/** More than a proxy may hold beyond what it has before the first byte, so that one that keeps it all is found. */
const TRANSFER_BYTES = 384 * MIB;
/** A proxy run from its sources holds half of this before the first byte. */
const MAX_MEMORY_MIB = 400;

const TYPE = 'type.googleapis.com/envoy.extensions';
let folder: string;
let client: ProxyProcess;
let server: ProxyProcess;
const endings: (() => unknown)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-pair-'));
  endings.push(() => rm(folder, { recursive: true, force: true }));
  const authority = await createTestAuthority();
  const identity = (serviceAccount: string) => ({ trustDomain: 'cluster.local', namespace: 'default', serviceAccount });
  const web = await startWeb();
  const calls = await startGrpc();
  server = await startProxyProcess(
    folder,
    'server',
    bootstrap('server', authority.rootPem, await authority.issue(identity('server')), { web, calls }),
  );
  endings.push(() => server.stop());
  const inbound = server.ports.get('mesh') ?? 0;
  client = await startProxyProcess(
    folder,
    'client',
    bootstrap('client', authority.rootPem, await authority.issue(identity('client')), { server: inbound }),
  );
  endings.push(() => client.stop());
}, 60_000);

afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function listen(listener: TcpServer): Promise<number> {
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return (listener.address() as AddressInfo).port; // a listening TCP server
}

/** Gives and takes as many bytes as are asked for, and echoes over WebSocket handshakes. */
async function startWeb(): Promise<number> {
  const web = createServer((request, response) => {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    if (request.url === '/download') {
      void writeRandom(response, TRANSFER_BYTES);
      return;
    }
    void hashOf(request).then((hash) => response.end(hash));
  });
  web.on('upgrade', (_request: IncomingMessage, socket, head: Buffer) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    if (head.length > 0) socket.write(head);
    socket.pipe(socket);
    socket.on('error', () => undefined);
  });
  endings.push(() => {
    web.closeAllConnections();
    web.close();
  });
  return listen(web);
}

const plain = { serialize: (bytes: Buffer) => bytes, deserialize: (bytes: Buffer) => bytes };
const streaming = (path: string): grpc.MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream: true,
  responseStream: true,
  requestSerialize: plain.serialize,
  requestDeserialize: plain.deserialize,
  responseSerialize: plain.serialize,
  responseDeserialize: plain.deserialize,
});
const CHAT = streaming('/test.Echo/Chat');
const LEAVE = streaming('/test.Echo/Leave');
const REFUSE = streaming('/test.Echo/Refuse');

async function startGrpc(): Promise<number> {
  const echo = new grpc.Server();
  echo.addService(
    { chat: CHAT, leave: LEAVE, refuse: REFUSE },
    {
      // Both end after one message of a client that still has more to say.
      leave(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
        call.once('data', (bytes: Buffer) => {
          call.write(bytes);
          call.end();
        });
        call.on('error', () => undefined);
      },
      refuse(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
        call.once('data', () => call.emit('error', { code: grpc.status.RESOURCE_EXHAUSTED, details: 'enough' }));
        call.on('error', () => undefined);
      },
      chat(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
        call.on('data', (bytes: Buffer) => void call.write(bytes));
        call.on('end', () => {
          const trailers = new grpc.Metadata();
          trailers.set('x-said', 'all');
          call.end(trailers);
        });
        call.on('error', () => undefined);
      },
    },
  );
  endings.push(() => echo.forceShutdown());
  return new Promise((resolve, reject) => {
    echo.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

/** Writes random bytes, block by block as the other side takes them; gives their SHA-256. */
async function writeRandom(target: Writable, total: number): Promise<string> {
  const hash = createHash('sha256');
  // A few blocks in turn, changed at their beginning: making randomness would take longer than moving it.
  const blocks = Array.from({ length: 4 }, () => randomFillSync(Buffer.allocUnsafe(256 * 1024)));
  for (let sent = 0; sent < total;) {
    const block = Buffer.from(blocks[(sent / (256 * 1024)) % blocks.length] ?? Buffer.alloc(0));
    block.writeDoubleLE(sent, 0);
    hash.update(block);
    sent += block.length;
    if (!target.write(block)) await once(target, 'drain');
  }
  const digest = hash.digest('hex');
  hashes.push(digest);
  target.end();
  return digest;
}

/** Of what was written, the last one last. */
const hashes: string[] = [];

async function hashOf(source: Readable): Promise<string> {
  const hash: Hash = createHash('sha256');
  for await (const chunk of source) hash.update(chunk as Buffer); // a stream of bytes
  return hash.digest('hex');
}

describe.each(['HTTP/1.1', 'HTTP/2'] as const)('much by %s, through two proxies', (protocol) => {
  const port = () => client.ports.get('web') ?? 0;

  it('goes up', async () => {
    const { source, target } =
      protocol === 'HTTP/2' ? openH2(port(), 'POST', '/upload') : openH1(port(), 'POST', '/upload');
    const sent = await writeRandom(target, TRANSFER_BYTES);
    expect(await textOf(await source)).toBe(sent);
    expectBounded();
  }, 120_000);

  it('comes down', async () => {
    const { source, target } =
      protocol === 'HTTP/2' ? openH2(port(), 'GET', '/download') : openH1(port(), 'GET', '/download');
    target.end();
    const received = await hashOf(await source);
    expect(received).toBe(hashes.at(-1));
    expectBounded();
  }, 120_000);
});

describe('streams both ways, through two proxies', () => {
  it('a WebSocket echoes', async () => {
    const socket = connect(client.ports.get('web') ?? 0, '127.0.0.1');
    endings.push(() => socket.destroy());
    socket.write('GET /chat HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    let received = Buffer.alloc(0);
    const until = async (isThere: () => boolean) => {
      while (!isThere()) received = Buffer.concat([received, ((await once(socket, 'data')) as [Buffer])[0]]);
    };
    await until(() => received.includes('\r\n\r\n'));
    expect(received.toString('latin1')).toMatch(/^HTTP\/1\.1 101 [^]*upgrade: websocket/);
    received = Buffer.alloc(0);
    for (let round = 1; round <= 50; round++) {
      const frame = randomFillSync(Buffer.alloc(1000 * round));
      received = Buffer.alloc(0);
      socket.write(frame);
      await until(() => received.length >= frame.length);
      expect(received.equals(frame)).toBe(true);
    }
  });

  it('a gRPC call of streams talks in turns and ends with its status', async () => {
    const caller = new grpc.Client(`127.0.0.1:${client.ports.get('calls') ?? 0}`, grpc.credentials.createInsecure());
    endings.push(() => caller.close());
    const call = caller.makeBidiStreamRequest(CHAT.path, plain.serialize, plain.deserialize);
    const status = new Promise<grpc.StatusObject>((resolve) => call.on('status', resolve));
    for (let round = 1; round <= 200; round++) {
      const message = randomFillSync(Buffer.alloc(100 * round));
      call.write(message);
      const [echoed] = (await once(call, 'data')) as [Buffer];
      expect(echoed.equals(message)).toBe(true);
    }
    call.end();
    call.on('data', () => undefined);
    const { code, metadata } = await status;
    expect(code).toBe(grpc.status.OK);
    expect(metadata.get('x-said')).toEqual(['all']);
  });

  it.each([
    { name: 'OK', method: LEAVE, code: grpc.status.OK, details: 'OK' },
    { name: 'an error', method: REFUSE, code: grpc.status.RESOURCE_EXHAUSTED, details: 'enough' },
  ])('a server that ends with $name while the client is still sending is heard, 30 of 30', async (row) => {
    const caller = new grpc.Client(`127.0.0.1:${client.ports.get('calls') ?? 0}`, grpc.credentials.createInsecure());
    endings.push(() => caller.close());
    const statuses: string[] = [];
    for (let index = 0; index < 30; index++) {
      const call = caller.makeBidiStreamRequest(row.method.path, plain.serialize, plain.deserialize);
      const status = new Promise<grpc.StatusObject>((resolve) => call.on('status', resolve));
      call.on('error', () => undefined);
      call.on('data', () => undefined);
      call.write(Buffer.alloc(10_000));
      call.write(Buffer.alloc(10_000));
      const { code, details } = await status;
      statuses.push(`${code} ${details}`);
    }
    expect(new Set(statuses)).toEqual(new Set([`${row.code} ${row.details}`]));
  });
});

function expectBounded(): void {
  for (const [name, proxy] of [
    ['client', client],
    ['server', server],
  ] as const) {
    const peak = proxy.peakMib();
    if (peak === null) continue;
    console.log(`${name}'s proxy: at most ${Math.round(peak)} MiB so far`);
    expect(peak).toBeLessThan(MAX_MEMORY_MIB);
  }
}

interface Opened {
  readonly source: Promise<Readable>;
  readonly target: Writable;
}

function openH1(port: number, method: string, path: string): Opened {
  const request = httpRequest({ host: '127.0.0.1', port, method, path, agent: false });
  return { source: once(request, 'response').then(([response]) => response as IncomingMessage), target: request };
}

function openH2(port: number, method: string, path: string): Opened {
  const session = http2.connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: MIB } });
  endings.push(() => session.destroy());
  const stream = session.request({ ':method': method, ':path': path }, { endStream: false });
  return { source: once(stream, 'response').then(() => stream), target: stream };
}

async function textOf(source: Readable): Promise<string> {
  let text = '';
  for await (const chunk of source) text += String(chunk);
  return text;
}

/** The client's side takes plain HTTP of either version; the server's side mutual TLS. */
function bootstrap(
  role: 'client' | 'server',
  rootPem: string,
  { chainPem, privateKeyPem }: WorkloadCertificate,
  ports: Readonly<Record<string, number>>,
): string {
  const common = `{ tls_certificates: [{ certificate_chain: { inline_string: ${JSON.stringify(chainPem)} }, private_key: { inline_string: ${JSON.stringify(privateKeyPem)} } }], validation_context: { trusted_ca: { inline_string: ${JSON.stringify(rootPem)} } }, alpn_protocols: [h2] }`;
  const tls = (side: 'Downstream' | 'Upstream') =>
    `{ name: tls, typed_config: { "@type": ${TYPE}.transport_sockets.tls.v3.${side}TlsContext, common_tls_context: ${common}${side === 'Downstream' ? ', require_client_certificate: true' : ''} } }`;
  const manager = (routes: string) => `
            - name: http
              typed_config:
                "@type": ${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ${role}
                upgrade_configs: [{ upgrade_type: websocket }]
                http2_protocol_options: { allow_connect: true }
                http_filters: [{ name: router, typed_config: { "@type": ${TYPE}.filters.http.router.v3.Router } }]
                route_config: { virtual_hosts: [{ name: all, domains: ["*"], routes: [${routes}] }] }`;
  const listener = (name: string, routes: string, chain = '') => `
    - name: ${name}
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - ${chain}filters:${manager(routes)}`;
  const cluster = (name: string, isHttp2: boolean, more = '') => `
    - name: ${name}
      type: STATIC
      connect_timeout: 5s
      load_assignment: { cluster_name: ${name}, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${ports[name] ?? 0} } } } }] }] }
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": ${TYPE}.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { ${isHttp2 ? 'http2_protocol_options: {}' : 'http_protocol_options: {}'} }
${more}`;
  const call = '{ match: { prefix: /test.Echo/ }, route: { cluster: calls, timeout: 0s } }';
  const any = (name: string) => `{ match: { prefix: / }, route: { cluster: ${name}, timeout: 0s } }`;
  const listeners =
    role === 'client'
      ? listener('web', any('server')) + listener('calls', any('server'))
      : listener('mesh', `${call}, ${any('web')}`, `transport_socket: ${tls('Downstream')}\n          `);
  const clusters =
    role === 'client'
      ? cluster('server', true, `      transport_socket: ${tls('Upstream')}\n`)
      : cluster('web', false) + cluster('calls', true);
  return `admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }\nstatic_resources:\n  listeners:${listeners}\n  clusters:${clusters}`;
}
