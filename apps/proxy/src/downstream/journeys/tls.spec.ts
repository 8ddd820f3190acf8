import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { WorkloadCertificate } from '@flotilla/spiffe';
import { createTestAuthority, FAULTY_LEAVES, type TestAuthority } from '@flotilla/spiffe/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually, openUpstream, RawClient, request, type Upstream } from '../../http/journeys/peers.ts';
import { httpManager, type JsonObject, openWorld, route, type World } from '../../http/journeys/world.ts';

let authority: TestAuthority;
let server: WorkloadCertificate;
let client: WorkloadCertificate;
let world: World;
let upstream: Upstream;

const id = (serviceAccount: string, trustDomain = 'cluster.local') => ({
  trustDomain,
  namespace: 'default',
  serviceAccount,
});

beforeAll(async () => {
  authority = await createTestAuthority();
  server = await authority.issue(id('web'));
  client = await authority.issue(id('client'));
});

beforeEach(async () => {
  world = openWorld();
  upstream = await openUpstream();
  world.cluster('up', [upstream.port]);
  setCertificate(server);
  world.secrets.holder('ROOTCA').set({ kind: 'validation', trustedCaPem: authority.rootPem });
});

afterEach(async () => {
  await world.close();
  await upstream.close();
});

function setCertificate({ chainPem, privateKeyPem }: WorkloadCertificate): void {
  world.secrets.holder('default').set({ kind: 'certificate', chainPem, privateKeyPem });
}

const MESH_ALPN = ['istio-peer-exchange', 'istio', 'istio-http/1.1'];
const tlsInspector: JsonObject = {
  name: 'envoy.filters.listener.tls_inspector',
  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector' },
};

function meshTls(more: JsonObject = {}): JsonObject {
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      requireClientCertificate: true,
      commonTlsContext: {
        alpnProtocols: ['h2', 'http/1.1'],
        tlsCertificateSdsSecretConfigs: [{ name: 'default' }],
        combinedValidationContext: {
          defaultValidationContext: {
            matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { prefix: 'spiffe://cluster.local/' } }],
          },
          validationContextSdsSecretConfig: { name: 'ROOTCA' },
        },
      },
      ...more,
    },
  };
}

function inbound(mode: 'STRICT' | 'PERMISSIVE'): JsonObject {
  const filters = [httpManager([route('/', { cluster: 'up' })], XFCC)];
  const tls = {
    name: 'mtls',
    filterChainMatch: {
      transportProtocol: 'tls',
      ...(mode === 'PERMISSIVE' ? { applicationProtocols: MESH_ALPN } : {}),
    },
    transportSocket: meshTls(),
    filters,
  };
  const plain = { name: 'plain', filterChainMatch: { transportProtocol: 'raw_buffer' }, filters };
  return {
    name: 'in',
    address: { socketAddress: { address: '127.0.0.1', portValue: 0 } },
    trafficDirection: 'INBOUND',
    listenerFilters: [tlsInspector],
    filterChains: mode === 'STRICT' ? [tls] : [tls, plain],
  };
}

const XFCC: JsonObject = {
  forwardClientCertDetails: 'APPEND_FORWARD',
  setCurrentClientCertDetails: { subject: true, uri: true, dns: true },
};

/** One GET over TLS; the received text, or why there is none. */
async function getOverTls(port: number, options: ConnectionOptions = {}): Promise<{ text: string; socket: TLSSocket }> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    ca: authority.rootPem,
    cert: client.chainPem,
    key: client.privateKeyPem,
    ALPNProtocols: MESH_ALPN,
    checkServerIdentity: () => undefined,
    ...options,
  });
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  await new Promise((resolve) => socket.on('close', resolve));
  return { text, socket };
}

describe('mutual TLS', () => {
  it('lets a workload of the mesh in and tells the application who it is', async () => {
    const port = await world.listen(inbound('STRICT'));
    const { text } = await getOverTls(port);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    const headers = upstream.seen[0]?.head.headers;
    expect(headers?.get('x-forwarded-client-cert')).toMatch(
      /^By=spiffe:\/\/cluster\.local\/ns\/default\/sa\/web;Hash=[0-9a-f]{64};Subject="";URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/client$/,
    );
    expect(headers?.get('x-forwarded-proto')).toBe('https');
    expect(world.records[0]?.connection).toMatchObject({
      clientCertificate: 'validated',
      peerUriSan: 'spiffe://cluster.local/ns/default/sa/client',
      localUriSan: 'spiffe://cluster.local/ns/default/sa/web',
      filterState: null,
      tls: { version: 'TLSv1.3' },
      alpn: null,
    });
  });

  it('chooses HTTP/1.1 by ALPN where the client offers it', async () => {
    const port = await world.listen(inbound('STRICT'));
    await getOverTls(port, { ALPNProtocols: ['http/1.1'] });
    expect(world.records[0]?.connection.alpn).toBe('http/1.1');
  });

  it('STRICT refuses plain text', async () => {
    const port = await world.listen(inbound('STRICT'));
    const plain = await RawClient.connect(port);
    expect(await plain.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n').ended()).toBe('');
    expect(world.counter(`listener.127.0.0.1_0.no_filter_chain_match`)).toBe(1);
  });

  it('PERMISSIVE takes mesh TLS and plain text on one port', async () => {
    const port = await world.listen(inbound('PERMISSIVE'));
    expect((await getOverTls(port)).text).toMatch(/^HTTP\/1\.1 200 /);
    expect(await request(port, 'GET /')).toMatchObject({ status: 200 });
    expect(upstream.seen[1]?.head.headers.has('x-forwarded-client-cert')).toBe(false);
  });

  it.each([
    ['shows no certificate', 'ssl.fail_verify_no_cert', async () => ({ cert: '', key: '' })],
    [
      'shows a certificate of another authority',
      'ssl.fail_verify_error',
      async () => {
        const foreign = await (await createTestAuthority('foreign')).issue(id('client'));
        return { cert: foreign.chainPem, key: foreign.privateKeyPem };
      },
    ],
    ...FAULTY_LEAVES.map(([what, options]): [string, string, () => Promise<ConnectionOptions>] => [
      `shows a certificate that ${what}`,
      'ssl.fail_verify_error',
      async () => {
        const leaf = await authority.issueFaulty(id('client'), options);
        return { cert: leaf.chainPem, key: leaf.privateKeyPem };
      },
    ]),
    [
      'is of another trust domain',
      'ssl.fail_verify_san',
      async () => {
        const other = await authority.issue(id('client', 'other.domain'));
        return { cert: other.chainPem, key: other.privateKeyPem };
      },
    ],
    [
      'shows a certificate that has run out',
      'ssl.fail_verify_error',
      async () => {
        const old = await authority.issue(id('client'), { ttlMs: -1 });
        return { cert: old.chainPem, key: old.privateKeyPem };
      },
    ],
  ])('refuses a client that %s', async (_name, counter, identity) => {
    const port = await world.listen(inbound('STRICT'));
    const { text } = await getOverTls(port, await identity());
    expect(text).toBe('');
    expect(world.counter(`listener.127.0.0.1_0.${counter}`)).toBe(1);
    expect(upstream.seen).toEqual([]);
  });

  it('uses a new certificate for new connections; old ones go on', async () => {
    const port = await world.listen(inbound('STRICT'));
    const old = connectTls({
      port,
      host: '127.0.0.1',
      ca: authority.rootPem,
      cert: client.chainPem,
      key: client.privateKeyPem,
      ALPNProtocols: MESH_ALPN,
      checkServerIdentity: () => undefined,
    });
    await new Promise((resolve) => old.once('secureConnect', resolve));
    const before = old.getPeerX509Certificate()?.serialNumber;
    setCertificate(await authority.issue(id('web')));
    const fresh = await getOverTls(port);
    expect(fresh.text).toMatch(/^HTTP\/1\.1 200 /);
    const answer = new Promise<string>((resolve) => old.once('data', (chunk: Buffer) => resolve(chunk.toString())));
    old.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(before).toBeDefined();
    old.destroy();
  });

  it('keeps the last certificate when a new one cannot be used', async () => {
    const port = await world.listen(inbound('STRICT'));
    expect((await getOverTls(port)).text).toMatch(/^HTTP\/1\.1 200 /);
    world.secrets.holder('default').set({ kind: 'certificate', chainPem: 'broken', privateKeyPem: 'broken' });
    expect((await getOverTls(port)).text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('refuses a listener whose own certificate cannot be used', async () => {
    const tlsCertificates = [{ certificateChain: { inlineString: 'no' }, privateKey: { inlineString: 'no' } }];
    const transportSocket = meshTls({ commonTlsContext: { tlsCertificates } });
    const listener = inbound('STRICT');
    const filterChains = [{ transportSocket, filters: [httpManager([route('/', { cluster: 'up' })])] }];
    await expect(world.listen({ ...listener, filterChains })).rejects.toThrow(/common_tls_context: .*PEM/);
  });

  it('closes connections while no certificate has arrived', async () => {
    const bare = openWorld();
    const port = await bare.listen(inbound('STRICT'));
    expect((await getOverTls(port)).text).toBe('');
    await bare.close();
  });

  it('loses no byte that came together with the ClientHello or in many pieces', async () => {
    const port = await world.listen(inbound('PERMISSIVE'));
    const client = await RawClient.connect(port);
    for (const piece of ['G', 'ET / HT', 'TP/1.1\r\nhost: a\r\n', 'connection: close\r\n\r\n']) {
      client.send(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 200 /);
    await eventually(() => world.records.length === 1);
  });
});
