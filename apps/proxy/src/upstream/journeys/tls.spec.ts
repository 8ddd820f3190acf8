import { createServer, type Server, type TLSSocket } from 'node:tls';
import { createServer as createPlainServer } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { FakeClock } from '@flotilla/runtime';
import type { WorkloadCertificate } from '@flotilla/spiffe';
import { createTestAuthority, FAULTY_LEAVES, type TestAuthority } from '@flotilla/spiffe/testing';
import { HttpProtocolOptionsSchema } from '@flotilla/wire/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import { ProxyProtocolConfig_Version as ProxyVersion } from '@flotilla/wire/envoy/config/core/v3/proxy_protocol_pb.js';
import { ProxyProtocolUpstreamTransportSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js';
import { UpstreamTlsContextSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { StreamInfo } from '@flotilla/stream';
import {
  answering,
  closeServer,
  type Fields,
  get,
  lbEndpoint,
  listen,
  OK,
  openWorld,
  send,
  startRawServer,
  staticCluster,
  until,
  type World,
} from './world.ts';
import { PLAIN_CONNECTION } from '@flotilla/stream/testing';

type TlsInit = Fields<typeof UpstreamTlsContextSchema>;

const CLIENT = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'client' };
const SERVER = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'server' };
const SERVER_URI = 'spiffe://cluster.local/ns/default/sa/server';

let authority: TestAuthority;
let foreign: TestAuthority;
let serverCertificate: WorkloadCertificate;
let clientCertificate: WorkloadCertificate;
beforeAll(async () => {
  authority = await createTestAuthority();
  foreign = await createTestAuthority('foreign');
  serverCertificate = await authority.issue(SERVER, { dnsNames: ['*.example.com'] });
  clientCertificate = await authority.issue(CLIENT);
});

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

interface TlsServer {
  readonly port: number;
  readonly server: Server;
  /** Serial numbers of the clients' certificates, one a connection. */
  readonly clientSerials: string[];
  readonly serverNames: (string | false | null)[];
  readonly resumed: boolean[];
}

async function startServer(certificate = serverCertificate): Promise<TlsServer> {
  const clientSerials: string[] = [];
  const serverNames: (string | false | null)[] = [];
  const resumed: boolean[] = [];
  const sockets: TLSSocket[] = [];
  const server = createServer(
    {
      cert: certificate.chainPem,
      key: certificate.privateKeyPem,
      ca: authority.rootPem,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1', 'h2'],
    },
    (socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      clientSerials.push(socket.getPeerX509Certificate()?.serialNumber.toLowerCase() ?? 'none');
      serverNames.push(socket.servername);
      resumed.push(socket.isSessionReused());
      answering(OK)(socket);
    },
  );
  server.on('tlsClientError', () => undefined);
  const port = await listen(server);
  endings.push(() => closeServer(server, sockets));
  return { port, server, clientSerials, serverNames, resumed };
}

const inline = (value: string) => ({ specifier: { case: 'inlineString' as const, value } });
const sdsContext = (san: string): TlsInit => ({
  commonTlsContext: {
    tlsCertificateSdsSecretConfigs: [{ name: 'default' }],
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: [{ sanType: 3, matcher: { matchPattern: { case: 'exact', value: san } } }],
        },
        validationContextSdsSecretConfig: { name: 'ROOTCA' },
      },
    },
  },
});
const trusting = (more: TlsInit = {}): TlsInit => ({
  commonTlsContext: {
    validationContextType: { case: 'validationContext', value: { trustedCa: inline(authority.rootPem) } },
  },
  ...more,
});

function transportSocket(context: TlsInit) {
  return {
    name: 'envoy.transport_sockets.tls',
    configType: {
      case: 'typedConfig' as const,
      value: anyPack(UpstreamTlsContextSchema, create(UpstreamTlsContextSchema, context)),
    },
  };
}

function open(
  port: number,
  context: TlsInit,
  more: Parameters<typeof staticCluster>[1] = {},
  clock?: FakeClock,
): World {
  const world = openWorld(clock === undefined ? {} : { clock });
  endings.push(() => world.manager.close());
  world.manager.apply(staticCluster([port], { transportSocket: transportSocket(context), ...more }));
  return world;
}

function setSecrets(world: World, certificate = clientCertificate, rootPem = authority.rootPem): void {
  world.secrets.set('default', { kind: 'certificate', ...certificate });
  world.secrets.set('ROOTCA', { kind: 'validation', trustedCaPem: rootPem });
}

function newInfo(): StreamInfo {
  return new StreamInfo(PLAIN_CONNECTION, 0, 0);
}

describe('mutual TLS with secrets', () => {
  it('shows our certificate, checks theirs, and says who they are', async () => {
    const server = await startServer();
    const world = open(server.port, { ...sdsContext(SERVER_URI), sni: 'outbound_.80_._.server' });
    setSecrets(world);
    const info = newInfo();
    const answer = await send(world.cluster(), get('/', { info }));
    expect([answer.failure, answer.detail, answer.body]).toEqual([null, '', 'ok']);
    expect(info.upstreamPeerUriSan).toBe(SERVER_URI);
    expect(info.upstreamTls).toMatchObject({ version: 'TLSv1.2', peer: { names: { uri: [SERVER_URI] } } });
    expect(info.upstreamTls?.own?.serial).toBe(clientCertificate.serial);
    expect(server.clientSerials).toEqual([clientCertificate.serial]);
    expect(server.serverNames).toEqual(['outbound_.80_._.server']);
  });

  it('refuses a server with another identity', async () => {
    const server = await startServer();
    const world = open(server.port, sdsContext('spiffe://cluster.local/ns/default/sa/other'));
    setSecrets(world);
    const info = newInfo();
    expect((await send(world.cluster(), get('/', { info }))).failure).toBe('connect-failure');
    expect(info.upstreamTransportFailureReason).toMatch(/SAN matcher: .*sa\/server.* is not exact .*sa\/other/);
    expect(info.upstreamPeerUriSan).toBeNull();
  });

  it('refuses a server that an unknown authority vouches for', async () => {
    const server = await startServer(await foreign.issue(SERVER));
    const world = open(server.port, sdsContext(SERVER_URI));
    setSecrets(world);
    const answer = await send(world.cluster());
    expect([answer.failure, answer.detail]).toEqual([
      'connect-failure',
      expect.stringMatching(/^TLS_error: certificate verify failed: .*UNABLE_TO/),
    ]);
  });

  it.each(FAULTY_LEAVES)('refuses a server whose certificate %s', async (_what, options) => {
    const server = await startServer({ ...serverCertificate, ...(await authority.issueFaulty(SERVER, options)) });
    const world = open(server.port, sdsContext(SERVER_URI));
    setSecrets(world);
    const answer = await send(world.cluster());
    expect([answer.failure, answer.detail]).toEqual([
      'connect-failure',
      expect.stringMatching(/is no SPIFFE identity: it/),
    ]);
  });

  it('refuses an expired server', async () => {
    const server = await startServer(await authority.issue(SERVER, { ttlMs: 1_000, nowMs: Date.now() - 30_000 }));
    const world = open(server.port, sdsContext(SERVER_URI));
    setSecrets(world);
    expect((await send(world.cluster())).detail).toMatch(/CERT_HAS_EXPIRED/);
  });

  it('fails, and says so, while a secret is missing; works once it is there', async () => {
    const server = await startServer();
    const world = open(server.port, sdsContext(SERVER_URI));
    const answer = await send(world.cluster());
    expect([answer.failure, answer.detail]).toEqual(['connect-failure', 'secret "default" is not supplied yet']);
    setSecrets(world);
    expect((await send(world.cluster())).body).toBe('ok');
  });

  it('resumes a session where it may, checking names all the same', async () => {
    const server = await startServer();
    const world = open(server.port, sdsContext(SERVER_URI), { maxRequestsPerConnection: 1 });
    setSecrets(world);
    const info = newInfo();
    for (let index = 0; index < 3; index++) {
      expect((await send(world.cluster(), get('/', { info }))).body).toBe('ok');
    }
    expect(server.resumed).toEqual([false, true, true]);
    expect(new Set(server.clientSerials)).toEqual(new Set([clientCertificate.serial]));
    expect(info.upstreamPeerUriSan).toBe(SERVER_URI);
  });
});

describe('rotation', () => {
  it('uses the new certificate for new connections and lets go of the old ones, without a failed request', async () => {
    const server = await startServer();
    const world = open(server.port, sdsContext(SERVER_URI));
    setSecrets(world);
    const certificates = await Promise.all(Array.from({ length: 5 }, () => authority.issue(CLIENT)));
    let isOver = false;
    let answered = 0;
    const failures: string[] = [];
    const client = async (): Promise<void> => {
      while (!isOver) {
        const answer = await send(world.cluster());
        if (answer.failure === null) answered += 1;
        else failures.push(answer.detail);
      }
    };
    const clients = Array.from({ length: 8 }, client);
    for (const certificate of certificates) {
      const before = answered;
      world.secrets.set('default', { kind: 'certificate', ...certificate });
      await until(() => answered > before + 100 && server.clientSerials.includes(certificate.serial));
    }
    isOver = true;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    const last = certificates.at(-1)?.serial;
    const before = server.clientSerials.length;
    await Promise.all(Array.from({ length: 4 }, () => send(world.cluster())));
    expect(server.clientSerials.slice(before).every((serial) => serial === last)).toBe(true);
    await until(() => world.value('cluster.c.upstream_cx_active') <= 8);
  });

  it('closes idle connections of the old certificate at once', async () => {
    const server = await startServer();
    const world = open(server.port, sdsContext(SERVER_URI));
    setSecrets(world);
    await send(world.cluster());
    expect(world.value('cluster.c.upstream_cx_active')).toBe(1);
    world.secrets.set('default', { kind: 'certificate', ...(await authority.issue(CLIENT)) });
    await until(() => world.value('cluster.c.upstream_cx_active') === 0);
  });

  it('trusts a new root as soon as it is there', async () => {
    const server = await startServer(await foreign.issue(SERVER));
    const world = open(server.port, sdsContext(SERVER_URI));
    setSecrets(world);
    expect((await send(world.cluster())).failure).toBe('connect-failure');
    world.secrets.set('ROOTCA', { kind: 'validation', trustedCaPem: authority.rootPem + foreign.rootPem });
    expect((await send(world.cluster())).body).toBe('ok');
  });
});

describe('other TLS settings', () => {
  it('accepts any certificate without trust anchors, as Envoy does, and claims no identity', async () => {
    const server = await startServer(await foreign.issue(SERVER));
    const info = newInfo();
    expect((await send(open(server.port, {}).cluster(), get('/', { info }))).body).toBe('ok');
    expect(info.upstreamPeerUriSan).toBeNull();
  });

  it('never offers h2', async () => {
    const server = await startServer();
    const alpn: (string | false | null)[] = [];
    server.server.on('secureConnection', (socket: TLSSocket) => alpn.push(socket.alpnProtocol));
    await send(open(server.port, { commonTlsContext: { alpnProtocols: ['h2', 'http/1.1'] } }).cluster());
    expect(alpn).toEqual(['http/1.1']);
  });

  it.each([
    ['api.example.com', null],
    ['api.example.org', 'connect-failure'],
    ['a.b.example.com', 'connect-failure'],
  ])('takes SNI and expected name from the request: %s', async (name, failure) => {
    const server = await startServer();
    const options = create(HttpProtocolOptionsSchema, {
      upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true },
      upstreamProtocolOptions: {
        case: 'explicitHttpConfig',
        value: { protocolConfig: { case: 'httpProtocolOptions', value: {} } },
      },
    });
    const world = open(server.port, trusting(), {
      typedExtensionProtocolOptions: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': anyPack(HttpProtocolOptionsSchema, options),
      },
    });
    const answer = await send(world.cluster(), get('/', { authority: `${name}:8443` }));
    expect(answer.failure).toBe(failure);
    expect(server.serverNames).toEqual([name]);
  });

  it('lets an endpoint choose its transport by metadata', async () => {
    const [secure, plain] = [await startServer(), await startRawServer(answering(OK))];
    endings.push(() => plain.close());
    const world = openWorld();
    endings.push(() => world.manager.close());
    world.manager.apply(
      staticCluster([], {
        transportSocketMatches: [
          { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket: transportSocket(trusting()) },
          {
            name: 'tlsMode-disabled',
            match: {},
            transportSocket: { name: 'envoy.transport_sockets.raw_buffer' },
          },
        ],
        loadAssignment: {
          clusterName: 'c',
          endpoints: [
            {
              lbEndpoints: [
                lbEndpoint(secure.port, {
                  metadata: { filterMetadata: { 'envoy.transport_socket_match': { tlsMode: 'istio' } } },
                }),
                lbEndpoint(plain.port),
              ],
            },
          ],
        },
      }),
    );
    const bodies = await Promise.all([1, 2, 3, 4].map(() => send(world.cluster())));
    expect(bodies.map((answer) => answer.body)).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(secure.clientSerials).not.toHaveLength(0);
    expect(plain.sockets).not.toHaveLength(0);
  });

  it('gives up a handshake that never ends', async () => {
    const silent = await startRawServer(() => undefined);
    endings.push(() => silent.close());
    const clock = new FakeClock();
    const world = open(silent.port, trusting(), { connectTimeout: { seconds: 2n } }, clock);
    const answer = send(world.cluster());
    await until(() => silent.sockets.length === 1);
    clock.advance(2_000);
    expect([(await answer).failure, (await answer).detail]).toEqual(['connect-timeout', 'connection timeout']);
    expect(world.value('cluster.c.upstream_cx_connect_timeout')).toBe(1);
  });

  it('fails only those who have waited as long when a handshake never ends', async () => {
    const { server } = await startServer();
    const front = await startRawServer((socket) => {
      if (front.sockets.length > 1) server.emit('connection', socket);
    });
    endings.push(() => front.close());
    const clock = new FakeClock();
    const world = open(front.port, trusting(), { connectTimeout: { seconds: 10n } }, clock);
    const first = send(world.cluster());
    await until(() => front.sockets.length === 1);
    clock.advance(9_999);
    // Two of them, of which one waits for the connection that hangs; the other's serves both.
    const later = [send(world.cluster()), send(world.cluster())];
    clock.advance(1);
    expect((await first).failure).toBe('connect-timeout');
    expect((await Promise.all(later)).map(({ body }) => body)).toEqual(['ok', 'ok']);
  });

  it('reports a server that speaks no TLS', async () => {
    const plain = await startRawServer((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad\r\n\r\n')));
    endings.push(() => plain.close());
    const answer = await send(open(plain.port, trusting()).cluster());
    expect([answer.failure, answer.detail]).toEqual([
      'connect-failure',
      expect.stringMatching(/^TLS_error: .*(wrong version|packet length)/i),
    ]);
  });
});

it('begins with a PROXY header, ahead of TLS, where the cluster asks for one', async () => {
  const { server: tlsServer } = await startServer();
  const heads: string[] = [];
  const front = createPlainServer((socket) => {
    socket.once('readable', () => {
      const first = socket.read() as Buffer;
      const end = first.indexOf('\r\n') + 2;
      heads.push(first.subarray(0, end).toString());
      socket.unshift(first.subarray(end));
      tlsServer.emit('connection', socket);
    });
  });
  const port = await listen(front);
  endings.push(() => closeServer(front, []));
  const world = openWorld({});
  endings.push(() => world.manager.close());
  const proxied = create(ProxyProtocolUpstreamTransportSchema, {
    config: { version: ProxyVersion.V1 },
    transportSocket: transportSocket(trusting()),
  });
  const value = anyPack(ProxyProtocolUpstreamTransportSchema, proxied);
  const socket = { name: 'proxied', configType: { case: 'typedConfig' as const, value } };
  world.manager.apply(staticCluster([port], { transportSocket: socket }));
  const answer = await send(world.cluster());
  expect([answer.failure, answer.body]).toEqual([null, 'ok']);
  expect(heads).toEqual(['PROXY UNKNOWN\r\n']);
});
