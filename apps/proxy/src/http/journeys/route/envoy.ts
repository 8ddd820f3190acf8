import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toJson } from '@bufbuild/protobuf';
import { type RouteConfiguration, RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';

/** A request as a test writes it. */
export interface TestRequest {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface TestReply {
  readonly status: number;
  readonly location: string | null;
  readonly headers: readonly string[];
  readonly body: string;
}

/** Envoy serving one route configuration on loopback. */
export interface RunningEnvoy {
  send(request: TestRequest): Promise<TestReply>;
  close(): Promise<void>;
}

const HCM = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const ROUTER = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';

/** Starts Envoy; cluster `upstream` is `upstreamPort` on loopback. Rejects with Envoy's log when it does not start. */
export async function startEnvoy(
  program: string,
  routes: RouteConfiguration,
  upstreamPort: number | null,
): Promise<RunningEnvoy> {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-envoy-'));
  const adminPath = join(folder, 'admin');
  const configPath = join(folder, 'envoy.json');
  await writeFile(configPath, JSON.stringify(bootstrap(routes, upstreamPort)));
  const child = spawn(
    program,
    ['-c', configPath, '--admin-address-path', adminPath, '--use-dynamic-base-id', '--concurrency', '1', '-l', 'warn'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const close = async (): Promise<void> => {
    agent.destroy();
    child.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const port = await Promise.race([
      listenerPort(adminPath),
      exited.then(() => Promise.reject(new Error(`envoy did not start: ${log.slice(0, 300)} … ${log.slice(-600)}`))),
    ]);
    return { send: (request) => send(agent, port, request), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function bootstrap(routes: RouteConfiguration, upstreamPort: number | null): object {
  const address = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  return {
    admin: { address: address(0) },
    static_resources: {
      clusters:
        upstreamPort === null
          ? []
          : [
              {
                name: 'upstream',
                type: 'STATIC',
                load_assignment: {
                  cluster_name: 'upstream',
                  endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }],
                },
              },
            ],
      listeners: [
        {
          name: 'l',
          address: address(0),
          filter_chains: [
            {
              filters: [
                {
                  name: 'hcm',
                  typed_config: {
                    '@type': HCM,
                    stat_prefix: 'h',
                    route_config: toJson(RouteConfigurationSchema, routes),
                    generate_request_id: false,
                    http_filters: [{ name: 'router', typed_config: { '@type': ROUTER } }],
                  },
                },
              ],
            },
          ],
        },
      ],
    },
  };
}

async function listenerPort(adminPath: string): Promise<number> {
  for (;;) {
    const admin = await readFile(adminPath, 'utf8').catch(() => '');
    if (admin !== '') {
      const text = await fetch(`http://${admin.trim()}/listeners`).then(
        (reply) => reply.text(),
        () => '',
      );
      const port = /127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (port !== undefined) return Number(port);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Sends a request to a port of loopback. */
export function send(agent: Agent, port: number, request: TestRequest): Promise<TestReply> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { agent, host: '127.0.0.1', port, method: request.method, path: request.path, setHost: false },
      (reply) => {
        let body = '';
        reply.setEncoding('latin1');
        reply.on('data', (chunk: string) => (body += chunk));
        reply.on('end', () =>
          resolve({
            status: reply.statusCode ?? 0,
            location: reply.headers.location ?? null,
            headers: reply.rawHeaders,
            body,
          }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.setHeader('host', request.authority);
    for (const name of new Set(request.headers.map(([each]) => each))) {
      outgoing.setHeader(
        name,
        request.headers.filter(([each]) => each === name).map(([, value]) => value),
      );
    }
    outgoing.end();
  });
}
