import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JsonValue, toJson } from '@bufbuild/protobuf';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { withPeer } from '@flotilla/testing';
import {
  AccessLogService,
  type StreamAccessLogsMessage,
  StreamAccessLogsMessageSchema,
} from '@flotilla/wire/envoy/service/accesslog/v3/als_pb.js';
import { describe, expect, it, vi } from 'vitest';
import { startEnvoy, startOurs, type Subject } from './subjects.ts';

withPeer('envoy', (program) => {
  describe('an access log service', () => {
    it('is told the same by our proxy and by Envoy', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'flotilla-als-'));
      try {
        const envoys = await run(folder, (file) => startEnvoy(program, file, join(folder, 'admin')));
        const ours = await run(folder, startOurs);
        // Streams come in either order.
        const names = ({ identifiers, ...told }: Told) => ({ ...told, identifiers: new Set(identifiers) });
        expect(names(ours)).toEqual(names(envoys));
        expect(ours.http).toHaveLength(REQUESTS);
        expect(ours.tcp).toHaveLength(1);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });
});

const REQUESTS = 3;

interface Told {
  readonly identifiers: JsonValue[];
  readonly http: JsonValue[];
  readonly tcp: JsonValue[];
}

async function run(folder: string, start: (file: string) => Promise<Subject>): Promise<Told> {
  const service = await startService();
  const web = createServer((message, response) => {
    message.resume();
    message.on('end', () => response.writeHead(201, { 'x-answer': '42' }).end('made'));
  }).listen(0, '127.0.0.1');
  await once(web, 'listening');
  const file = join(folder, 'bootstrap.yaml');
  await writeFile(file, bootstrapYaml(service.port, portOf(web.address())));
  const subject = await start(file);
  try {
    const port = subject.ports.get('http') ?? 0;
    await ask(port, '/made', { 'x-user': 'ann', 'user-agent': 'tester', referer: 'there' });
    await ask(port, '/direct', {});
    await ask(port, '/none', {});
    await echo(subject.ports.get('tcp') ?? 0);
    await vi.waitFor(() => expect([service.told.http.length, service.told.tcp.length]).toEqual([REQUESTS, 1]));
    return service.told;
  } finally {
    await subject.close();
    web.closeAllConnections();
    web.close();
    service.close();
  }
}

/** Notes down what it is told, without what must differ between two runs. */
async function startService() {
  const told: Told = { identifiers: [], http: [], tcp: [] };
  const sessions = new Set<ServerHttp2Session>();
  const server = createHttp2Server(
    connectNodeAdapter({
      routes: (router) =>
        router.service(AccessLogService, {
          async streamAccessLogs(messages) {
            for await (const message of messages) note(message, told);
            return {};
          },
        }),
    }),
  );
  server.on('session', (session) => sessions.add(session));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    told,
    port: portOf(server.address()),
    close() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

function note(message: StreamAccessLogsMessage, told: Told): void {
  const json = withoutIncidentals(toJson(StreamAccessLogsMessageSchema, message)) as {
    // As the schema prints.
    identifier?: { logName: string; node: { id: string; cluster: string } };
    httpLogs?: { logEntry: JsonValue[] };
    tcpLogs?: { logEntry: JsonValue[] };
  };
  const { identifier } = json;
  if (identifier !== undefined) {
    const { id, cluster } = identifier.node;
    told.identifiers.push({ logName: identifier.logName, id, cluster });
  }
  told.http.push(...(json.httpLogs?.logEntry ?? []));
  told.tcp.push(...(json.tcpLogs?.logEntry ?? []));
}

/** Times, ports and ids; what only Envoy counts. */
function withoutIncidentals(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withoutIncidentals);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !/WireBytes|HeaderBytes|^cipherSuite/.test(name))
      .map(([name, item]) => {
        const isIncidental = /^(startTime|timeTo|duration|portValue|requestId|streamId)/.test(name);
        return [name, isIncidental ? typeof item : withoutIncidentals(item)];
      }),
  );
}

function ask(port: number, path: string, headers: Readonly<Record<string, string>>): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, headers: { host: 'web', ...headers } }, (response) => {
      response.resume();
      response.on('end', resolve);
    });
    sent.on('error', reject);
    sent.end();
  });
}

async function echo(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.write('hello');
  await once(socket, 'data');
  socket.end();
  await once(socket, 'close');
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}

function bootstrapYaml(servicePort: number, webPort: number): string {
  const log = (kind: 'Http' | 'Tcp', more = '') => `
              access_log:
                - name: envoy.access_loggers.${kind.toLowerCase()}_grpc
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.${kind}GrpcAccessLogConfig
                    common_config:
                      log_name: ${kind}
                      transport_api_version: V3
                      buffer_flush_interval: 0.05s
                      grpc_service: { envoy_grpc: { cluster_name: als } }${more}`;
  const cluster = (name: string, port: number, more = '') => `
    - name: ${name}
      type: STATIC
      connect_timeout: 1s${more}
      load_assignment:
        cluster_name: ${name}
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }]`;
  const http2 = `
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }`;
  return `
node: { id: "sidecar~127.0.0.1~web.default~default.svc.cluster.local", cluster: web }
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:
    - name: http
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: http
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
                        - { name: made, match: { path: /made }, route: { cluster: web } }
                        - { match: { path: /direct }, direct_response: { status: 418, body: { inline_string: tea } } }
                http_filters:
                  - name: envoy.filters.http.router
                    # The header of the upstream's time would be of one digit or two.
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, suppress_envoy_headers: true }${log(
                      'Http',
                      `
                    additional_request_headers_to_log: [X-User, x-none]
                    additional_response_headers_to_log: [x-answer]`,
                    ).replaceAll('\n              ', '\n                ')}
    - name: tcp
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.echo
              typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo }
      ${log('Tcp').trim().replaceAll('\n              ', '\n      ')}
  clusters:${cluster('als', servicePort, http2)}${cluster('web', webPort)}
`;
}
