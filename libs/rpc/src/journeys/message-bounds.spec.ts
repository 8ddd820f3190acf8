import { createClient } from '@connectrpc/connect';
import { compressionGzip } from '@connectrpc/connect-node';
import { silentLogger } from '@flotilla/observe';
import { createTestAuthority, createTestIdentity } from '@flotilla/spiffe/testing';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { afterAll, describe, expect, it } from 'vitest';
import { type ClientTls, createRpcTransport } from '../client.ts';
import { serveRpc } from '../server.ts';
import { pathOf, scratchRoutes } from './scratch-service.ts';

const id = (serviceAccount: string) => ({ trustDomain: 'cluster.local', namespace: 'default', serviceAccount });
const authority = await createTestAuthority();
const common = {
  address: { host: '127.0.0.1', port: 0 },
  logger: silentLogger,
  isKnown: ({ bearerToken }: { readonly bearerToken: string | null }) => bearerToken === 'open-sesame',
};
const plaintext = await serveRpc({ ...common, routes: scratchRoutes() });
const secure = await serveRpc({
  ...common,
  routes: scratchRoutes(),
  tls: { identity: createTestIdentity(await authority.issue(id('server'))), clientCertificates: 'optional' },
});
const opened: { close(): unknown }[] = [];

afterAll(async () => {
  for (const one of opened) one.close();
  await Promise.all([plaintext.close(), secure.close()]);
});

const trust = { serverSpiffeId: 'spiffe://cluster.local/ns/default/sa/server' };
const withoutCertificate: ClientTls = { ...trust, rootsPem: authority.rootPem };
const withCertificate: ClientTls = { ...trust, identity: createTestIdentity(await authority.issue(id('reviews'))) };

const MIB = 1024 * 1024;

type Protocol = 'connect' | 'grpc';
interface Sender {
  readonly tls?: ClientTls;
  readonly token?: string;
}

/** Sends a message of this many bytes, and says what came back: `ok`, or the error. */
async function send(bytes: number, protocol: Protocol, { tls, token }: Sender): Promise<string> {
  const { url } = tls === undefined ? plaintext : secure;
  const transport = createRpcTransport({ url, protocol, ...(tls === undefined ? {} : { tls }) });
  opened.push(transport);
  const headers = token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } };
  return createClient(CitadelService, transport)
    .createToken({ namespace: 'a'.repeat(bytes), serviceAccount: 'ok' }, headers)
    .then(
      (answer) => answer.token,
      (error: unknown) => String(error),
    );
}

describe.each(['connect', 'grpc'] as const)('the size of a message over %s', (protocol) => {
  const strangers: readonly [string, Sender][] = [
    ['nobody, plaintext', {}],
    ['nobody, TLS', { tls: withoutCertificate }],
    ['a token that is not right', { token: 'open-barley' }],
  ];
  it.each(strangers)('from %s is bounded to 2 MiB', async (_who, sender) => {
    expect(await send(MIB, protocol, sender)).toBe('ok');
    const refused = /resource_exhausted.* (?:larger than configured|of) .*2097152/;
    expect(await send(3 * MIB, protocol, sender)).toMatch(refused);
    expect(await send(15 * MIB, protocol, sender)).toMatch(refused);
  });

  const known: readonly [string, Sender][] = [
    ['whoever has the token, plaintext', { token: 'open-sesame' }],
    ['whoever has the token, TLS', { tls: withoutCertificate, token: 'open-sesame' }],
    ['whoever has a certificate', { tls: withCertificate }],
  ];
  it.each(known)('from %s is bounded to 16 MiB', async (_who, sender) => {
    expect(await send(15 * MIB, protocol, sender)).toBe('ok');
    expect(await send(17 * MIB, protocol, sender)).toMatch(/resource_exhausted.*16777216/);
  });
});

describe('a message of a stranger', () => {
  const post = (body: Uint8Array<ArrayBuffer> | string, headers: Readonly<Record<string, string>>) =>
    fetch(plaintext.url + pathOf(CitadelService.method.createToken), { method: 'POST', headers, body });

  it('is not parsed past the bound: that it is nonsense is not found out', async () => {
    const json = { 'content-type': 'application/json' };
    expect(await (await post('{'.repeat(MIB), json)).json()).toMatchObject({ code: 'invalid_argument' });
    expect(await (await post('{'.repeat(3 * MIB), json)).json()).toMatchObject({ code: 'resource_exhausted' });
  });

  it('is bounded by what it unpacks to', async () => {
    const packed = await compressionGzip.compress(Buffer.from(JSON.stringify({ namespace: 'a'.repeat(64 * MIB) })));
    expect(packed.length).toBeLessThan(MIB);
    const answer = await post(new Uint8Array(packed), {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    });
    expect(await answer.json()).toMatchObject({ code: 'resource_exhausted' });
  });
});
