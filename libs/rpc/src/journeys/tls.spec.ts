import { connect } from 'node:tls';
import { createClient } from '@connectrpc/connect';
import { silentLogger } from '@flotilla/observe';
import type { WorkloadCertificate } from '@flotilla/spiffe';
import { createTestAuthority, createTestIdentity, FAULTY_LEAVES } from '@flotilla/spiffe/testing';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { afterEach, describe, expect, it } from 'vitest';
import { createRpcTransport, type ClientTls } from '../client.ts';
import { serveRpc, type ServerTls } from '../server.ts';
import { scratchRoutes } from './scratch-service.ts';

const id = (serviceAccount: string) => ({ trustDomain: 'cluster.local', namespace: 'default', serviceAccount });
const authority = await createTestAuthority();
const foreign = await createTestAuthority('foreign');
const serverCertificate = await authority.issue(id('server'), { dnsNames: ['istiod.istio-system.svc'] });
const serverSpiffeId = 'spiffe://cluster.local/ns/default/sa/server';

const opened: { close(): void | Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function serve(
  clientCertificates: ServerTls['clientCertificates'],
  identity = createTestIdentity(serverCertificate),
) {
  const server = await serveRpc({
    address: { host: '127.0.0.1', port: 0 },
    routes: scratchRoutes(),
    tls: { identity, clientCertificates },
    logger: silentLogger,
  });
  opened.push(server);
  return server;
}

function client(url: string, tls: ClientTls) {
  const transport = createRpcTransport({ url, tls });
  opened.push(transport);
  return createClient(CitadelService, transport);
}

const fixed = (certificate: WorkloadCertificate) => createTestIdentity(certificate);
const whoAmI = async (caller: ReturnType<typeof client>): Promise<unknown> =>
  JSON.parse((await caller.createToken({})).token);

describe('client certificates', () => {
  it.each(['optional', 'require'] as const)('%s: the identity comes from the verified certificate', async (mode) => {
    const server = await serve(mode);
    const identity = fixed(await authority.issue(id('reviews')));
    expect(await whoAmI(client(server.url, { identity, serverSpiffeId }))).toMatchObject({
      spiffeId: 'spiffe://cluster.local/ns/default/sa/reviews',
      isLoopback: true,
      inProcess: false,
    });
  });

  it.each(FAULTY_LEAVES)('a certificate of a client that %s is refused', async (_what, options) => {
    const server = await serve('optional');
    const good = await authority.issue(id('client'));
    const identity = fixed({ ...good, ...(await authority.issueFaulty(id('client'), options)) });
    await expect(whoAmI(client(server.url, { identity, serverSpiffeId }))).rejects.toThrow(
      /cannot reach https:|closed/,
    );
  });

  it.each(FAULTY_LEAVES)('a certificate of a server that %s is refused', async (_what, options) => {
    const faulty = { ...serverCertificate, ...(await authority.issueFaulty(id('server'), options)) };
    const server = await serve('none', createTestIdentity(faulty));
    const call = whoAmI(client(server.url, { rootsPem: authority.rootPem, serverSpiffeId }));
    await expect(call).rejects.toThrow(/nobody of the mesh/);
  });

  it.each([
    ['ECDHE-ECDSA-AES128-SHA', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE'],
    ['ECDHE-ECDSA-AES128-SHA256', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE'],
    ['ECDHE-ECDSA-AES128-GCM-SHA256', 'secureConnect'],
  ])('TLS 1.2 with %s: %s', async (ciphers, outcome) => {
    const { url } = await serve('none');
    const port = Number(new URL(url).port);
    const options = { port, host: '127.0.0.1', ciphers, maxVersion: 'TLSv1.2', rejectUnauthorized: false } as const;
    const socket = connect(options);
    opened.push({ close: () => void socket.destroy() });
    const seen = await new Promise<string>((resolve) => {
      socket.on('secureConnect', () => resolve('secureConnect'));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
    expect(seen).toBe(outcome);
  });

  it('none: a certificate is not asked for', async () => {
    const server = await serve('none');
    const identity = fixed(await authority.issue(id('reviews')));
    expect(await whoAmI(client(server.url, { identity, serverSpiffeId }))).toMatchObject({ spiffeId: null });
  });

  it('optional: a client without one is nobody', async () => {
    const server = await serve('optional');
    expect(await whoAmI(client(server.url, { rootsPem: authority.rootPem, serverSpiffeId }))).toMatchObject({
      spiffeId: null,
    });
  });

  it('require: a client without one is refused', async () => {
    const server = await serve('require');
    const call = client(server.url, { rootsPem: authority.rootPem, serverSpiffeId }).createToken({});
    await expect(call).rejects.toThrow(/cannot reach https:/);
  });

  it.each(['optional', 'require'] as const)('%s: a foreign, an expired and a future one are refused', async (mode) => {
    const server = await serve(mode);
    const hour = 3_600_000;
    for (const certificate of [
      await foreign.issue(id('reviews')),
      await authority.issue(id('reviews'), { nowMs: Date.now() - 2 * hour, ttlMs: hour }),
      await authority.issue(id('reviews'), { nowMs: Date.now() + hour }),
    ]) {
      const call = client(server.url, { identity: fixed(certificate), rootsPem: authority.rootPem, serverSpiffeId });
      await expect(call.createToken({})).rejects.toThrow(/cannot reach https:/);
    }
  });
});

describe('the server is verified', () => {
  it.each<[string, ClientTls, RegExp | null]>([
    [
      'by one of the expected identities',
      { serverSpiffeId: ['spiffe://cluster.local/ns/x/sa/y', serverSpiffeId] },
      null,
    ],
    ['by a DNS name in place of the address', { serverName: 'istiod.istio-system.svc' }, null],
    [
      'and refused with another identity',
      { serverSpiffeId: 'spiffe://cluster.local/ns/x/sa/y' },
      /the server is spiffe:.*server, expected/,
    ],
    ['and refused with another DNS name', { serverName: 'other.istio-system.svc' }, /altnames/],
    ['and refused when the address of the URL is no name of it', {}, /IP: 127.0.0.1 is not in the cert/],
    [
      'and refused with a foreign root',
      { rootsPem: foreign.rootPem, serverSpiffeId },
      /self-signed certificate|unable to verify/,
    ],
  ])('%s', async (_, tls, refusal) => {
    const server = await serve('none');
    const call = client(server.url, { rootsPem: authority.rootPem, ...tls }).createToken({ serviceAccount: 'a' });
    if (refusal === null) expect((await call).token).toBe('a');
    else await expect(call).rejects.toThrow(refusal);
  });
});

describe('rotation', () => {
  const servedSerial = (port: number) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerX509Certificate()?.serialNumber.toLowerCase() ?? '');
        socket.destroy();
      });
      socket.once('error', reject);
    });

  it('changes the certificate for new connections and fails no call', async () => {
    const serverIdentity = fixed(serverCertificate);
    const clientIdentity = fixed(await authority.issue(id('reviews')));
    const server = await serve('require', serverIdentity);
    const caller = client(server.url, { identity: clientIdentity, serverSpiffeId });
    let isDone = false;
    let calls = 0;
    const load = Array.from({ length: 4 }, async () => {
      while (!isDone) {
        await caller.createToken({ serviceAccount: 'x' });
        calls += 1;
      }
    });
    for (let round = 0; round < 10; round += 1) {
      const before = calls;
      const [nextServer, nextClient] = [await authority.issue(id('server')), await authority.issue(id('reviews'))];
      serverIdentity.set(nextServer);
      clientIdentity.set(nextClient);
      expect(await servedSerial(server.address.port)).toBe(nextServer.serial);
      expect(await whoAmI(caller)).toMatchObject({ serial: nextClient.serial });
      while (calls < before + 20) await new Promise((resolve) => setImmediate(resolve));
    }
    isDone = true;
    await Promise.all(load);
    expect(calls).toBeGreaterThan(200);
  });

  it('trusts clients of a new root once the bundle has it', async () => {
    const serverIdentity = fixed(serverCertificate);
    const server = await serve('require', serverIdentity);
    const stranger = {
      identity: fixed(await foreign.issue(id('reviews'))),
      rootsPem: authority.rootPem,
      serverSpiffeId,
    };
    await expect(client(server.url, stranger).createToken({})).rejects.toThrow(/cannot reach/);
    serverIdentity.set({ ...serverCertificate, rootsPem: authority.rootPem + foreign.rootPem });
    expect((await client(server.url, stranger).createToken({ serviceAccount: 'a' })).token).toBe('a');
  });
});

describe('settings that cannot be', () => {
  it('a server without a certificate', async () => {
    await expect(serve('none', createTestIdentity(null))).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('a client without a certificate yet', async () => {
    const server = await serve('optional');
    const call = client(server.url, { identity: createTestIdentity(null), serverSpiffeId }).createToken({});
    await expect(call).rejects.toThrow(/no certificate to connect with yet/);
  });

  it.each(['ftp://x', 'localhost:80', 'http://x/path'])('the URL %s', (url) => {
    expect(() => createRpcTransport({ url })).toThrow(/is not the URL of a server/);
  });

  it('TLS settings with a plaintext URL', () => {
    expect(() => createRpcTransport({ url: 'http://localhost:1', tls: {} })).toThrow(/is plaintext/);
  });
});
