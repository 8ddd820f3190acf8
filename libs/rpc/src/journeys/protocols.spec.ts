import { withPeer } from '@flotilla/testing';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fromBinary, toBinary, create } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { silentLogger } from '@flotilla/observe';
import { createTestAuthority, createTestIdentity, type TestAuthority } from '@flotilla/spiffe/testing';
import { AggregatedDiscoveryService } from '@flotilla/wire/envoy/service/discovery/v3/ads_pb.js';
import {
  CitadelService,
  CreateTokenRequestSchema,
  CreateTokenResponseSchema,
} from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { Health } from '@flotilla/wire/grpc/health/v1/health_pb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRpcTransport, type RpcTransport } from '../client.ts';
import { fromConnectError } from '../errors.ts';
import { createInMemoryTransport } from '../server/in-memory.ts';
import { serveRpc, type RpcServer } from '../server.ts';
import { pathOf, scratchRoutes } from './scratch-service.ts';

const run = promisify(execFile);
const serverId = { trustDomain: 'cluster.local', namespace: 'istio-system', serviceAccount: 'istiod' };
const curlVersion = await run('curl', ['--version']).then(
  ({ stdout }) => stdout,
  () => '',
);

let authority: TestAuthority;
let plaintext: RpcServer;
let secure: RpcServer;
let rootFile: string;
const opened: RpcTransport[] = [];

beforeAll(async () => {
  authority = await createTestAuthority();
  const identity = createTestIdentity(await authority.issue(serverId, { dnsNames: ['localhost'] }));
  const common = { address: { host: '127.0.0.1', port: 0 }, routes: scratchRoutes(), logger: silentLogger };
  plaintext = await serveRpc({ ...common, maxMessageBytes: 10_000 });
  secure = await serveRpc({ ...common, maxMessageBytes: 10_000, tls: { identity, clientCertificates: 'none' } });
  rootFile = join(mkdtempSync(join(tmpdir(), 'flotilla-rpc-')), 'root.pem');
  writeFileSync(rootFile, authority.rootPem);
});

afterAll(async () => {
  for (const transport of opened) transport.close();
  await Promise.all([plaintext.close(), secure.close()]);
  rmSync(join(rootFile, '..'), { recursive: true });
});

function open(server: RpcServer, protocol: 'grpc' | 'connect'): Transport {
  const tls = server === secure ? { rootsPem: authority.rootPem, serverName: 'localhost' } : undefined;
  const transport = createRpcTransport({ url: server.url, protocol, ...(tls === undefined ? {} : { tls }) });
  opened.push(transport);
  return transport;
}

function openGrpcWeb(server: RpcServer): Transport {
  return createGrpcWebTransport({
    baseUrl: server.url.replace('127.0.0.1', 'localhost'),
    httpVersion: '1.1',
    nodeOptions: { ca: authority.rootPem },
  });
}

const kinds: readonly [string, () => Transport][] = [
  ['gRPC, plaintext', () => open(plaintext, 'grpc')],
  ['gRPC, TLS', () => open(secure, 'grpc')],
  ['Connect, plaintext', () => open(plaintext, 'connect')],
  ['Connect, TLS', () => open(secure, 'connect')],
  ['gRPC-Web on HTTP/1.1, plaintext', () => openGrpcWeb(plaintext)],
  ['gRPC-Web on HTTP/1.1, TLS', () => openGrpcWeb(secure)],
  ['in memory', () => createInMemoryTransport(scratchRoutes())],
];

describe.each(kinds)('%s', (name, openTransport) => {
  const client = () => createClient(CitadelService, openTransport());

  it('carries a call and its answer', async () => {
    expect((await client().createToken({ serviceAccount: 'reviews' })).token).toBe('reviews');
  });

  it('keeps code, message and hint of an error', async () => {
    const error = await client()
      .createToken({ namespace: 'forbidden' })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConnectError);
    expect(error).toMatchObject({ code: Code.PermissionDenied, rawMessage: 'not you' });
    expect(fromConnectError(error)).toMatchObject({
      code: 'forbidden',
      message: 'not you',
      hint: 'Ask somebody else.',
    });
  });

  it('does not tell the peer what a bug says', async () => {
    const error = await client()
      .createToken({ namespace: 'bug' })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: Code.Internal, rawMessage: 'internal error' });
  });

  it('ends a call at its deadline', async () => {
    await expect(client().createToken({ namespace: 'slow' }, { timeoutMs: 60 })).rejects.toMatchObject({
      code: Code.DeadlineExceeded,
    });
  });

  // HTTP/1.1 cannot stream both ways.
  const itStreams = name.includes('HTTP/1.1') ? null : it;
  itStreams?.('streams both ways, and answers after the client has half-closed', async () => {
    const ads = createClient(AggregatedDiscoveryService, openTransport());
    const answers: string[] = [];
    const firstAnswer = Promise.withResolvers<void>();
    async function* requests() {
      yield { typeUrl: 'a' };
      // The second request waits for the first answer: nothing is held back on the way.
      await firstAnswer.promise;
      yield { typeUrl: 'b' };
    }
    for await (const { versionInfo } of ads.streamAggregatedResources(requests())) {
      answers.push(versionInfo);
      firstAnswer.resolve();
    }
    expect(answers).toEqual(['a', 'b', 'after the last request']);
  });

  itStreams?.('maps an error in the middle of a stream', async () => {
    const ads = createClient(AggregatedDiscoveryService, openTransport());
    async function* requests() {
      yield { typeUrl: 'a' };
      yield { typeUrl: 'fail' };
    }
    const answers: string[] = [];
    const read = async () => {
      for await (const { versionInfo } of ads.streamAggregatedResources(requests())) answers.push(versionInfo);
    };
    await expect(read().catch((error: unknown) => Promise.reject(fromConnectError(error)))).rejects.toMatchObject({
      code: 'conflict',
      message: 'changed meanwhile',
    });
    expect(answers).toEqual(['a']);
  });

  it('serves many calls at once', async () => {
    const shared = client();
    const names = Array.from({ length: 200 }, (_, index) => `account-${index}`);
    const replies = await Promise.all(names.map((serviceAccount) => shared.createToken({ serviceAccount })));
    expect(replies.map((reply) => reply.token)).toEqual(names);
  });

  // Message limits and health checks are a server's.
  const itOnAServer = name === 'in memory' ? null : it;
  itOnAServer?.('refuses a message over the limit', async () => {
    await expect(client().createToken({ serviceAccount: 'x'.repeat(20_000) })).rejects.toMatchObject({
      code: Code.ResourceExhausted,
    });
  });

  itOnAServer?.('answers health checks', async () => {
    const health = createClient(Health, openTransport());
    expect(await health.check({})).toMatchObject({ status: 1 });
    expect(await health.check({ service: 'flotilla.citadel.v1.CitadelService' })).toMatchObject({ status: 1 });
    await expect(health.check({ service: 'nobody' })).rejects.toMatchObject({ code: Code.NotFound });
  });
});

describe('the grpc-js client', () => {
  it.each(['plaintext', 'TLS'])('calls over %s', async (kind) => {
    const server = kind === 'TLS' ? secure : plaintext;
    const credentials =
      kind === 'TLS' ? grpc.credentials.createSsl(Buffer.from(authority.rootPem)) : grpc.credentials.createInsecure();
    const client = new grpc.Client(`localhost:${server.address.port}`, credentials);
    const method = CitadelService.method.createToken;
    const call = (namespace: string) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          pathOf(method),
          (message: Parameters<typeof encode>[0]) => encode(message),
          (bytes: Buffer) => fromBinary(CreateTokenResponseSchema, bytes),
          create(CreateTokenRequestSchema, { namespace, serviceAccount: 'ratings' }),
          (error, reply) => (error === null ? resolve(reply) : reject(error)),
        );
      });
    const encode = (message: ReturnType<typeof create<typeof CreateTokenRequestSchema>>) =>
      Buffer.from(toBinary(CreateTokenRequestSchema, message));
    await expect(call('default')).resolves.toMatchObject({ token: 'ratings' });
    await expect(call('forbidden')).rejects.toMatchObject({ code: grpc.status.PERMISSION_DENIED, details: 'not you' });
    client.close();
  });
});

withPeer('curl', () =>
  describe('curl', () => {
    const cases = ['--http1.1', '--http2-prior-knowledge', '--http2'].flatMap((version) =>
      ['plaintext', 'TLS'].map((kind) => [version, kind] as const),
    );
    it.each(cases.filter(([version]) => version === '--http1.1' || curlVersion.includes('HTTP2')))(
      'posts plain JSON with %s over %s',
      async (version, kind) => {
        // Without prior knowledge curl asks a plaintext server to upgrade, and goes on with HTTP/1.1.
        const server = kind === 'TLS' ? secure : plaintext;
        const url = server.url.replace('127.0.0.1', 'localhost') + pathOf(CitadelService.method.createToken);
        const { stdout } = await run('curl', [
          ...['-sS', version, '--cacert', rootFile, '--resolve', `localhost:${server.address.port}:127.0.0.1`],
          ...['-H', 'content-type: application/json', '-d', '{"serviceAccount":"details"}', url],
        ]);
        expect(JSON.parse(stdout)).toEqual({ token: 'details' });
      },
    );
  }),
);
