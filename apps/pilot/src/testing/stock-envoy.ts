import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, fromBinary, type JsonObject, toBinary, toJson } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { NodeSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import {
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { SecretSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import type { SocketAddress } from '@flotilla/runtime';
import type { WorkloadCertificate } from '@flotilla/spiffe';
import { TYPE_URLS } from '@flotilla/xds';
import type { NodeInit } from '@flotilla/translate/testing';

export interface StockEnvoy {
  /** Admin address, `http://127.0.0.1:…`. */
  readonly admin: string;
  /** What it wrote to its log so far. */
  log(): string;
  close(): Promise<void>;
}

export interface StockEnvoyOptions {
  readonly path: string;
  readonly node: NodeInit;
  readonly xds: SocketAddress;
  readonly sds: SocketAddress;
  readonly protocol: 'sotw' | 'delta';
}

/** Starts Envoy on a bootstrap file with nothing but its control plane. */
export async function startStockEnvoy(options: StockEnvoyOptions): Promise<StockEnvoy> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-envoy-'));
  const bootstrapPath = join(folder, 'bootstrap.json');
  const adminPath = join(folder, 'admin');
  writeFileSync(bootstrapPath, JSON.stringify(bootstrap(options)));
  const child = spawn(
    options.path,
    [
      '-c',
      bootstrapPath,
      '--concurrency',
      '1',
      '--disable-hot-restart',
      '--admin-address-path',
      adminPath,
      '-l',
      'info',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const exited = once(child, 'exit');
  const address = await adminAddress(child, adminPath, () => log);
  return {
    admin: `http://${address}`,
    log: () => log,
    async close() {
      child.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true });
    },
  };
}

/** Envoy writes the address of its admin listener to a file once it is bound. */
async function adminAddress(child: ChildProcess, path: string, log: () => string): Promise<string> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`envoy ended: ${log()}`);
    try {
      const text = readFileSync(path, 'utf8').trim();
      if (text !== '') return text;
    } catch {
      // Not written yet; a process of its own cannot tell us when.
    }
    await sleep(20);
  }
}

function bootstrap({ node, xds, sds, protocol }: StockEnvoyOptions): JsonObject {
  const cluster = (name: string, address: SocketAddress): JsonObject => ({
    name,
    type: 'STATIC',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: address.host, port_value: address.port } } } },
          ],
        },
      ],
    },
  });
  return {
    node: toJson(NodeSchema, create(NodeSchema, node)),
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    dynamic_resources: {
      ads_config: {
        api_type: protocol === 'delta' ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
      },
      cds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' },
      lds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' },
    },
    static_resources: { clusters: [cluster('xds-grpc', xds), cluster('sds-grpc', sds)] },
  };
}

export interface SecretServer {
  readonly address: SocketAddress;
  close(): void;
}

/** Serves the two secrets of a workload's agent over SDS. */
export function serveSecrets(certificate: WorkloadCertificate): Promise<SecretServer> {
  const server = new Server();
  server.addService(
    {
      StreamSecrets: {
        path: '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets',
        requestStream: true,
        responseStream: true,
        requestSerialize: () => Buffer.alloc(0),
        requestDeserialize: (bytes: Buffer) => fromBinary(DiscoveryRequestSchema, bytes),
        responseSerialize: (bytes: Buffer) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    },
    {
      StreamSecrets: (call: ServerDuplexStream<DiscoveryRequest, Buffer>) => {
        call.on('data', (request: DiscoveryRequest) => {
          if (request.responseNonce === '') call.write(secretResponse(request.resourceNames, certificate));
        });
        call.on('end', () => call.end());
      },
    },
  );
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) reject(error);
      else resolve({ address: { host: '127.0.0.1', port }, close: () => server.forceShutdown() });
    });
  });
}

function secretResponse(names: readonly string[], certificate: WorkloadCertificate): Buffer {
  const text = (value: string) => ({ specifier: { case: 'inlineString' as const, value } });
  const resources = names.map((name) =>
    anyPack(
      SecretSchema,
      create(SecretSchema, {
        name,
        type:
          name === 'ROOTCA'
            ? { case: 'validationContext', value: { trustedCa: text(certificate.rootsPem) } }
            : {
                case: 'tlsCertificate',
                value: { certificateChain: text(certificate.chainPem), privateKey: text(certificate.privateKeyPem) },
              },
      }),
    ),
  );
  const response = create(DiscoveryResponseSchema, {
    versionInfo: '1',
    nonce: '1',
    typeUrl: TYPE_URLS.SDS,
    resources,
  });
  return Buffer.from(toBinary(DiscoveryResponseSchema, response));
}
