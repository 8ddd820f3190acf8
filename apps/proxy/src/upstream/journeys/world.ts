import { createServer, type Server, type Socket } from 'node:net';
import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { HeaderList } from '@flotilla/http-codec';
import { silentLogger } from '@flotilla/observe';
import { seededRandom, systemClock } from '@flotilla/runtime';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { LbEndpointSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_components_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import type { Secret, SecretHolder, SecretStore } from '../../ports/secret-store.ts';
import { type Counter, type Gauge, StatsRegistry } from '../../base/stats.ts';
import { type ClusterManagerOptions, type OpenClusterManager, openClusterManager } from '../cluster-manager.ts';
import {
  PLAIN_PICK,
  type PickContext,
  type UpstreamCluster,
  type UpstreamFailure,
  type UpstreamHost,
  type UpstreamRequest,
  type UpstreamStream,
} from '../../ports/cluster-manager.ts';

/** Secrets set by the test. */
export class TestSecrets implements SecretStore {
  readonly #holders = new Map<string, { holder: SecretHolder; set(secret: Secret): void }>();

  holder(name: string): SecretHolder {
    return this.#entry(name).holder;
  }

  set(name: string, secret: Secret): void {
    this.#entry(name).set(secret);
  }

  #entry(name: string): { holder: SecretHolder; set(secret: Secret): void } {
    let entry = this.#holders.get(name);
    if (entry === undefined) {
      let current: Secret | null = null;
      let version = 0;
      const listeners = new Set<() => void>();
      entry = {
        holder: {
          name,
          current: () => current,
          version: () => version,
          subscribe(listener) {
            listeners.add(listener);
            return () => listeners.delete(listener);
          },
        },
        set(secret) {
          current = secret;
          version += 1;
          for (const listener of listeners) listener();
        },
      };
      this.#holders.set(name, entry);
    }
    return entry;
  }
}

/** A cluster manager with what a test reads of it. */
export interface World {
  readonly manager: OpenClusterManager;
  readonly secrets: TestSecrets;
  readonly stats: StatsRegistry;
  value(name: string): number;
  cluster(name?: string): UpstreamCluster;
}

export function openWorld(overrides: Partial<ClusterManagerOptions> = {}): World {
  const secrets = new TestSecrets();
  const stats = new StatsRegistry();
  const manager = openClusterManager({
    secrets,
    stats,
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
    ...overrides,
  });
  return {
    manager,
    secrets,
    stats,
    value(name) {
      const found = [...stats.all()].find((each) => each.name === name)?.metric as Counter | Gauge | undefined;
      return found?.value ?? -1;
    },
    cluster(name = 'c') {
      const cluster = manager.get(name);
      if (cluster === null) throw new Error(`no cluster ${name}`);
      return cluster;
    },
  };
}

/** Fields of a message that is not made yet. */
export type Fields<Desc extends DescMessage> = Exclude<MessageInitShape<Desc>, MessageShape<Desc>>;

/** An endpoint on loopback. */
export function lbEndpoint(port: number, more: Fields<typeof LbEndpointSchema> = {}): Fields<typeof LbEndpointSchema> {
  return { hostIdentifier: { case: 'endpoint', value: { address: tcpAddress(port) } }, ...more };
}

export function tcpAddress(port: number, address = '127.0.0.1') {
  return {
    address: {
      case: 'socketAddress' as const,
      value: { address, portSpecifier: { case: 'portValue' as const, value: port } },
    },
  };
}

export function assignment(name: string, ...ports: readonly number[]) {
  return create(ClusterLoadAssignmentSchema, {
    clusterName: name,
    endpoints: [{ lbEndpoints: ports.map((port) => lbEndpoint(port)) }],
  });
}

/** A STATIC cluster named `c` on loopback ports. */
export function staticCluster(ports: readonly number[], more: Fields<typeof ClusterSchema> = {}) {
  return create(ClusterSchema, { name: 'c', loadAssignment: assignment('c', ...ports), ...more });
}

export const ANY_HOST: PickContext = {
  ...PLAIN_PICK,
  random: seededRandom(2),
};

export function pickHost(cluster: UpstreamCluster): UpstreamHost {
  const host = cluster.pick(ANY_HOST);
  if (host === null) throw new Error('no host');
  return host;
}

export function get(path = '/', more: Partial<UpstreamRequest> = {}): UpstreamRequest {
  return {
    method: 'GET',
    path,
    authority: 'example.com',
    headers: new HeaderList(),
    body: 'none',
    scheme: 'http',
    upgrade: null,
    isHttp2: false,
    priority: 'default',
    info: null,
    ...more,
  };
}

/** What came of one request. */
export interface Answer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string;
  readonly trailers: HeaderList | null;
  readonly failure: UpstreamFailure | null;
  readonly detail: string;
}

/** Sends a request to whatever host is picked; settles with answer or failure, never rejects. */
export function send(
  cluster: UpstreamCluster,
  request: UpstreamRequest = get(),
  body: readonly string[] = [],
  control: (stream: UpstreamStream) => void = () => undefined,
): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  let status = 0;
  let headers = new HeaderList();
  const chunks: Buffer[] = [];
  const finish = (failure: UpstreamFailure | null, detail: string, trailers: HeaderList | null): void =>
    resolve({ status, headers, body: Buffer.concat(chunks).toString(), trailers, failure, detail });
  const host = cluster.pick(ANY_HOST);
  if (host === null) {
    finish('connect-failure', 'no host', null);
    return promise;
  }
  const stream = cluster.open(host, request, {
    onConnected: () => undefined,
    onInformational: () => undefined,
    onHead(code, fields) {
      status = code;
      headers = fields;
    },
    onData: (chunk) => void chunks.push(Buffer.from(chunk)),
    onEnd(trailers) {
      cluster.reportOutcome(host, { kind: 'answer', status });
      cluster.countResponse(status, false);
      finish(null, '', trailers);
    },
    onFailure(failure, detail) {
      cluster.reportOutcome(host, { kind: 'unreachable' });
      finish(failure, detail, null);
    },
    onDrain: () => undefined,
  });
  control(stream);
  for (const chunk of body) stream.write(Buffer.from(chunk));
  if (request.body !== 'none') stream.end(null);
  return promise;
}

/** A scripted TCP server. Collects what it accepted; `close` breaks everything. */
export interface RawServer {
  readonly port: number;
  readonly sockets: Socket[];
  close(): Promise<void>;
}

export async function startRawServer(onSocket: (socket: Socket, index: number) => void): Promise<RawServer> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    onSocket(socket, sockets.length - 1);
  });
  const port = await listen(server);
  return { port, sockets, close: () => closeServer(server, sockets) };
}

export function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

export function closeServer(server: Server, sockets: readonly Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Answers every request head with a fixed text, on one connection after another. */
export function answering(text: string): (socket: Socket) => void {
  return (socket) => {
    let seen = '';
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1');
      for (let end = seen.indexOf('\r\n\r\n'); end !== -1; end = seen.indexOf('\r\n\r\n')) {
        seen = seen.slice(end + 4);
        socket.write(text);
      }
    });
  };
}

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** Settles when the condition holds; looks after every turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
