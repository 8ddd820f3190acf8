import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { create, createFileRegistry, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, type FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import { Code, createClient } from '@connectrpc/connect';
import { silentLogger } from '@flotilla/observe';
import { createTestAuthority, createTestIdentity } from '@flotilla/spiffe/testing';
import { withPeer } from '@flotilla/testing';
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
} from '@flotilla/wire/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ReflectionV1Alpha } from '@flotilla/wire/grpc/reflection/v1alpha/reflection_pb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRpcTransport, type RpcTransport } from '../client.ts';
import { serveRpc, type RpcServer } from '../server.ts';
import { scratchRoutes } from './scratch-service.ts';

const SERVICES = [
  'envoy.service.discovery.v3.AggregatedDiscoveryService',
  'flotilla.citadel.v1.CitadelService',
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];

let plaintext: RpcServer;
let secure: RpcServer;
let transport: RpcTransport;
let scratch: string;

beforeAll(async () => {
  const authority = await createTestAuthority();
  const id = { trustDomain: 'cluster.local', namespace: 'istio-system', serviceAccount: 'istiod' };
  const identity = createTestIdentity(await authority.issue(id, { dnsNames: ['localhost'] }));
  const common = { address: { host: '127.0.0.1', port: 0 }, routes: scratchRoutes(), logger: silentLogger };
  plaintext = await serveRpc(common);
  secure = await serveRpc({ ...common, tls: { identity, clientCertificates: 'optional' } });
  transport = createRpcTransport({ url: plaintext.url });
  scratch = mkdtempSync(join(tmpdir(), 'flotilla-reflection-'));
  writeFileSync(join(scratch, 'root.pem'), authority.rootPem);
});
afterAll(async () => {
  transport.close();
  await Promise.all([plaintext.close(), secure.close()]);
  rmSync(scratch, { recursive: true });
});

type Question = MessageInitShape<typeof ServerReflectionRequestSchema>['messageRequest'];

/** Asks one question after another on one stream. */
async function ask(...questions: Question[]) {
  const client = createClient(ServerReflection, transport);
  async function* requests() {
    for (const messageRequest of questions) yield { messageRequest };
  }
  const answers = [];
  for await (const { messageResponse } of client.serverReflectionInfo(requests())) answers.push(messageResponse);
  return answers;
}

const symbol = (value: string): Question => ({ case: 'fileContainingSymbol', value });

function filesOf(answer: Awaited<ReturnType<typeof ask>>[number] | undefined): FileDescriptorProto[] {
  if (answer?.case !== 'fileDescriptorResponse') throw new Error(`no files: ${JSON.stringify(answer?.value)}`);
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

/** The named file after everything that it imports, each once. */
function importsFirst(
  files: readonly FileDescriptorProto[],
  name: string,
  done = new Set<string>(),
): FileDescriptorProto[] {
  if (done.has(name)) return [];
  done.add(name);
  const file = files.find((one) => one.name === name);
  if (file === undefined) throw new Error(`${name} is imported, but missing`);
  return [...file.dependency.flatMap((imported) => importsFirst(files, imported, done)), file];
}

describe('reflection', () => {
  it('lists what is routed', async () => {
    const [answer] = await ask({ case: 'listServices', value: '' });
    expect(answer?.value).toMatchObject({ service: SERVICES.map((name) => ({ name })) });
  });

  it('answers by its older name too', async () => {
    async function* requests() {
      yield { messageRequest: { case: 'listServices', value: '*' } as const };
    }
    for await (const { messageResponse } of createClient(ReflectionV1Alpha, transport).serverReflectionInfo(
      requests(),
    )) {
      expect(messageResponse.value).toMatchObject({ service: SERVICES.map((name) => ({ name })) });
    }
  });

  it.each([
    ['a service', 'flotilla.citadel.v1.CitadelService', 'flotilla/citadel/v1/citadel.proto'],
    ['a method', 'flotilla.citadel.v1.CitadelService.CreateToken', 'flotilla/citadel/v1/citadel.proto'],
    ['a message', 'flotilla.citadel.v1.CreateTokenRequest', 'flotilla/citadel/v1/citadel.proto'],
    ['a field', 'flotilla.citadel.v1.CreateTokenRequest.ttl', 'flotilla/citadel/v1/citadel.proto'],
    ['an imported message', 'google.protobuf.Duration', 'google/protobuf/duration.proto'],
    ['a nested enum', 'grpc.health.v1.HealthCheckResponse.ServingStatus', 'grpc/health/v1/health.proto'],
    ['an enum value', 'grpc.health.v1.HealthCheckResponse.NOT_SERVING', 'grpc/health/v1/health.proto'],
    ['an extension', 'validate.rules', 'validate/validate.proto'],
    ['what errors carry', 'google.rpc.ErrorInfo', 'google/rpc/error_details.proto'],
  ])('knows the file of %s', async (_, name, file) => {
    const [answer] = await ask(symbol(name));
    expect(filesOf(answer)[0]?.name).toBe(file);
  });

  it('gives a file with all its imports, so that a client can build the service from them', async () => {
    const [answer] = await ask({ case: 'fileByFilename', value: 'envoy/service/discovery/v3/ads.proto' });
    const files = filesOf(answer);
    const file = importsFirst(files, 'envoy/service/discovery/v3/ads.proto');
    expect(file).toHaveLength(files.length);
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
    expect(registry.getService('envoy.service.discovery.v3.AggregatedDiscoveryService')?.methods).toHaveLength(2);
  });

  it('carries an import once a stream, and the file asked for always', async () => {
    const [first, second] = await ask(symbol('flotilla.citadel.v1.CitadelService'), symbol('google.protobuf.Duration'));
    expect(filesOf(first).map(({ name }) => name)).toContain('google/protobuf/duration.proto');
    expect(filesOf(second).map(({ name }) => name)).toEqual(['google/protobuf/duration.proto']);
    const [again, once] = await ask(symbol('google.protobuf.Duration'), symbol('flotilla.citadel.v1.CitadelService'));
    expect(filesOf(again)).toHaveLength(1);
    expect(filesOf(once).map(({ name }) => name)).not.toContain('google/protobuf/duration.proto');
  });

  it('finds extensions by what they extend', async () => {
    const [numbers, file] = await ask(
      { case: 'allExtensionNumbersOfType', value: 'google.protobuf.FieldOptions' },
      {
        case: 'fileContainingExtension',
        value: { containingType: 'google.protobuf.FieldOptions', extensionNumber: 1071 },
      },
    );
    expect(numbers?.value).toMatchObject({ extensionNumber: expect.arrayContaining([1071]) });
    expect(filesOf(file)[0]?.name).toBe('validate/validate.proto');
  });

  it('says what it does not know, and goes on', async () => {
    const answers = await ask(
      symbol('no.such.Thing'),
      { case: 'fileByFilename', value: 'none.proto' },
      { case: 'allExtensionNumbersOfType', value: 'no.such.Thing' },
      { case: 'fileContainingExtension', value: { containingType: 'google.protobuf.Duration', extensionNumber: 1 } },
      undefined,
      { case: 'listServices', value: '' },
    );
    const { NotFound, InvalidArgument } = Code;
    expect(answers.slice(0, -1).map((answer) => answer.case === 'errorResponse' && answer.value.errorCode)).toEqual([
      ...[NotFound, NotFound, NotFound, NotFound, InvalidArgument],
    ]);
    expect(answers.at(-1)?.case).toBe('listServicesResponse');
  });
});

withPeer('grpcurl', (grpcurl) =>
  describe('grpcurl', () => {
    const run = promisify(execFile);
    const call = async (server: RpcServer, before: readonly string[], ...after: string[]) => {
      const security = server === secure ? ['-cacert', join(scratch, 'root.pem')] : ['-plaintext'];
      return (await run(grpcurl, [...security, ...before, `localhost:${server.address.port}`, ...after])).stdout;
    };

    it.each(['plaintext', 'TLS'])('lists, describes and calls over %s, without any .proto file', async (kind) => {
      const server = kind === 'TLS' ? secure : plaintext;
      expect((await call(server, [], 'list')).trim().split('\n')).toEqual(SERVICES);
      expect(await call(server, [], 'describe', 'flotilla.citadel.v1.CitadelService')).toContain('rpc CreateToken');
      expect(await call(server, [], 'describe', 'flotilla.citadel.v1.CreateTokenRequest')).toContain(
        '.google.protobuf.Duration ttl = 3;',
      );
      const method = 'flotilla.citadel.v1.CitadelService/CreateToken';
      const answer = await call(server, ['-d', '{"serviceAccount": "details", "ttl": "60s"}'], method);
      expect(JSON.parse(answer)).toEqual({ token: 'details' });
    });

    it('resolves a large graph of imports', async () => {
      const text = await call(plaintext, [], 'describe', 'envoy.service.discovery.v3.DeltaDiscoveryRequest');
      expect(text).toContain('.envoy.config.core.v3.Node node = 1');
    });

    it('shows the details of an error', async () => {
      const refused = call(
        plaintext,
        ['-d', '{"namespace": "forbidden"}'],
        'flotilla.citadel.v1.CitadelService/CreateToken',
      );
      await expect(refused).rejects.toMatchObject({
        stderr: expect.stringMatching(/PermissionDenied[^]*Ask somebody else/),
      });
    });
  }),
);
