import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectMesh, isSynced, type MeshClient } from '@flotilla/client';
import { PortAllocator } from '../../supervisor/ports.ts';
import { runFlotilla } from '../mesh.ts';
import { isReady, until } from './poll.ts';
import { ServiceProcess } from './process.ts';

/** A Redis that runs. */
export interface MeshRedis {
  readonly url: string;
  /** How galley and pilots log in, as options; default: as the default user. */
  readonly credentials?: readonly string[];
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on its port and its data. */
  restart(): Promise<void>;
  /** Kills it, for good. */
  close(): Promise<void>;
}

export interface SeparateMeshOptions {
  /** Starts Redis; `scratch` is removed with the mesh, and `secrets` in it is what `flotilla secrets` made. */
  readonly redis: (scratch: string) => Promise<MeshRedis>;
  readonly pilots: number;
  /** Workloads, spread evenly over the services, each with an application. */
  readonly workloads: number;
  readonly services: number;
  /** Starts the application of a workload. Default: in this process. */
  readonly startApplication?: (workload: string) => Promise<MeshApplication>;
  /** File that what a process says is added to; default: it is kept, for when the mesh does not start. */
  readonly outputFile?: (process: string) => string;
  /** More settings of every pilot. */
  readonly pilotSettings?: readonly string[];
  /** Of workloads and services; renewed at half of it. */
  readonly certificateTtl: string;
}

/** What answers behind a sidecar, with the name of its workload. */
export interface MeshApplication {
  readonly port: number;
  close(): void;
}

export interface MeshWorkload {
  readonly name: string;
  readonly service: string;
  readonly proxy: ServiceProcess;
  readonly httpProxyPort: number;
  /** Where its sidecar takes what others send to the application. */
  readonly inboundPort: number;
  readonly admin: string;
}

const START_WITHIN_MS = 90_000;
export const SERVICE_PORT = 8000;

/**
 * A mesh of separate processes on loopback, as teams deploy it: Redis, citadel, galley, several pilots, and a sidecar for
 * each workload. Everything may be killed and started again at its place.
 */
export class SeparateMesh {
  readonly redis: MeshRedis;
  readonly citadel: ServiceProcess;
  readonly galley: ServiceProcess;
  readonly pilots: readonly ServiceProcess[];
  readonly workloads: readonly MeshWorkload[];
  readonly client: MeshClient;
  /** Where each part listens for others, `host:port`, by the name of its process. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly #statusUrls: ReadonlyMap<ServiceProcess, string>;
  readonly #applications: readonly MeshApplication[];
  readonly #scratch: string;

  private constructor(parts: {
    redis: MeshRedis;
    citadel: ServiceProcess;
    galley: ServiceProcess;
    pilots: readonly ServiceProcess[];
    workloads: readonly MeshWorkload[];
    client: MeshClient;
    addresses: ReadonlyMap<string, readonly string[]>;
    statusUrls: ReadonlyMap<ServiceProcess, string>;
    applications: readonly MeshApplication[];
    scratch: string;
  }) {
    this.redis = parts.redis;
    this.citadel = parts.citadel;
    this.galley = parts.galley;
    this.pilots = parts.pilots;
    this.workloads = parts.workloads;
    this.client = parts.client;
    this.addresses = parts.addresses;
    this.#statusUrls = parts.statusUrls;
    this.#applications = parts.applications;
    this.#scratch = parts.scratch;
  }

  static async start(options: SeparateMeshOptions): Promise<SeparateMesh> {
    const ports = new PortAllocator();
    const scratch = mkdtempSync(join(tmpdir(), 'flotilla-separate-'));
    const serviceNames = Array.from({ length: options.services }, (_, at) => `svc-${at}`);
    const secrets = join(scratch, 'secrets');
    await runFlotilla([
      ...['secrets', '--out', secrets],
      ...serviceNames.flatMap((name) => ['--workload', `default/${name}`]),
    ]);
    mkdirSync(join(scratch, 'config'));
    writeFileSync(join(scratch, 'config/services.yaml'), serviceNames.map(serviceDocument).join('---\n'));
    const names = Array.from({ length: options.workloads }, (_, at) => `svc-${at % options.services}-${at}`);
    writeFileSync(join(scratch, 'config/workloads.yaml'), names.map(workloadDocument).join('---\n'));
    const redis = await options.redis(scratch);
    const store = ['--redis-url', redis.url, ...(redis.credentials ?? [])];

    const output = (name: string) => (options.outputFile === undefined ? {} : { outputFile: options.outputFile(name) });
    const statusUrls = new Map<ServiceProcess, string>();
    const free = async () => `127.0.0.1:${await ports.free()}`;
    const control = async (name: string, program: 'citadel' | 'galley' | 'pilot', args: readonly string[]) => {
      const status = await free();
      const service = new ServiceProcess(
        name,
        program,
        [...['--status-address', status, '--admin-token-file', join(secrets, 'admin-token')], ...args],
        output(name),
      ).start();
      statusUrls.set(service, `http://${status}`);
      return service;
    };
    const [ca, api] = [await free(), await free()];
    const addresses = new Map([
      ['citadel', [ca]],
      ['galley', [api]],
    ]);
    const identity = [
      ...['--ca', `https://${ca}`, '--ca-roots', join(secrets, 'root-cert.pem')],
      ...['--certificate-ttl', options.certificateTtl],
    ];
    const token = (name: string) => ['--token-file', join(secrets, 'tokens', name)];
    const citadel = await control('citadel', 'citadel', [
      ...['--listen', ca, '--max-certificate-ttl', options.certificateTtl],
      ...['--root-certificate-file', join(secrets, 'root-cert.pem'), '--root-key-file', join(secrets, 'root-key.pem')],
      ...['--token-key-file', join(secrets, 'token-key.pem'), ...store],
    ]);
    const galley = await control('galley', 'galley', [
      ...identity,
      ...token('istio-system.galley'),
      ...['--listen', api, ...store, '--config', join(scratch, 'config')],
      ...['--inventory', join(scratch, 'inventory')],
    ]);
    const pilots: ServiceProcess[] = [];
    const pilotApis: string[] = [];
    const discovery: string[] = [];
    for (let at = 0; at < options.pilots; at++) {
      const [xds, listen] = [await free(), await free()];
      discovery.push(xds);
      addresses.set(`pilot-${at}`, [xds, listen]);
      pilotApis.push(`https://${listen}`);
      pilots.push(
        await control(`pilot-${at}`, 'pilot', [
          ...identity,
          ...token('istio-system.pilot'),
          ...['--xds-tls', xds, '--listen', listen, '--galley', `https://${api}`, ...store],
          ...['--debounce-quiet', '10ms', '--debounce-max', '200ms'],
          ...(options.pilotSettings ?? []),
        ]),
      );
    }

    const applications: MeshApplication[] = [];
    const workloads: MeshWorkload[] = [];
    for (let at = 0; at < options.workloads; at++) {
      const service = serviceNames[at % serviceNames.length] ?? '';
      const name = `${service}-${at}`;
      const application = await (options.startApplication ?? startApplication)(name);
      applications.push(application);
      const [bind, httpProxyPort, admin] = [await ports.free(), await ports.free(), await free()];
      const first = at % discovery.length;
      const proxy = new ServiceProcess(
        name,
        'proxy',
        [
          ...['--workload', name, '--service-account', service, '--label', `app=${service}`, '--ip', '127.0.0.1'],
          ...['--port', `name=http,port=${SERVICE_PORT},bind=${bind},app=${application.port}`],
          ...['--http-proxy-port', String(httpProxyPort), '--admin', admin, '--status-address', ''],
          ...[...discovery.slice(first), ...discovery.slice(0, first)].flatMap((address) => ['--discovery', address]),
          ...identity,
          ...token(`default.${service}`),
          ...['--log-level', 'warn'],
        ],
        output(name),
      ).start();
      workloads.push({ name, service, proxy, httpProxyPort, inboundPort: bind, admin: `http://${admin}` });
    }
    const client = connectMesh({
      api: `https://${api}`,
      citadel: `https://${ca}`,
      pilots: pilotApis,
      token: readFileSync(join(secrets, 'admin-token'), 'utf8').trim(),
      rootsPem: readFileSync(join(secrets, 'root-cert.pem'), 'utf8'),
      trustDomain: 'cluster.local',
    });
    const mesh = new SeparateMesh({
      redis,
      citadel,
      galley,
      pilots,
      workloads,
      client,
      addresses,
      statusUrls,
      applications,
      scratch,
    });
    try {
      await mesh.settled(options.workloads);
    } catch (error) {
      await mesh.stop();
      throw new Error(`the mesh did not start:\n${mesh.#allOutput()}`, { cause: error });
    }
    return mesh;
  }

  /** Resolves when this service can serve. */
  async ready(service: ServiceProcess): Promise<void> {
    const url = this.#statusUrls.get(service) ?? '';
    await until(`${service.name} is ready`, () => isReady(url), START_WITHIN_MS);
  }

  /** Resolves when so many proxies are connected, in all, and every one of them is in sync with every pilot's version. */
  async settled(proxies: number): Promise<void> {
    await until(
      `${proxies} proxies in sync`,
      async () => (await this.syncedAt())?.proxies === proxies,
      START_WITHIN_MS,
    );
  }

  /** The version that all pilots have and all connected proxies acknowledged; null while there is none. */
  async syncedAt(): Promise<{ readonly version: bigint; readonly proxies: number } | null> {
    const reports = await this.client.listProxies({ timeoutMs: 2_000 });
    const versions = new Set(reports.map(({ version }) => version));
    const [version = null] = versions;
    if (version === null || versions.size > 1) return null;
    const proxies = reports.flatMap((report) => report.proxies);
    return proxies.every(isSynced) ? { version, proxies: proxies.length } : null;
  }

  /** Registered endpoints by service, as one pilot has them. */
  async endpoints(): Promise<Readonly<Record<string, number>>> {
    const [pilot] = this.client.pilots;
    if (pilot === undefined) return {};
    const { services } = await pilot.client.listServices({});
    return Object.fromEntries(
      services.map((service) => [service.hostname.split('.', 1)[0] ?? '', service.endpoints.length]),
    );
  }

  async stop(): Promise<void> {
    this.client.close();
    await Promise.all(this.workloads.map(({ proxy }) => proxy.end('SIGTERM')));
    await Promise.all([...this.pilots, this.galley, this.citadel].map((service) => service.end('SIGTERM')));
    await this.redis.close();
    for (const application of this.#applications) application.close();
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  #allOutput(): string {
    return [this.citadel, this.galley, ...this.pilots, ...this.workloads.map(({ proxy }) => proxy)]
      .map(({ name, output }) => `--- ${name}\n${output.split('\n').slice(-15).join('\n')}`)
      .join('\n');
  }
}

async function startApplication(name: string): Promise<MeshApplication> {
  const server = createServer((_, response) => response.end(name));
  // Proxies keep connections for longer than Node's five seconds.
  server.keepAliveTimeout = 0;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  // A listening TCP server always has one.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function serviceDocument(name: string): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  selector: { app: ${name} }
  ports: [{ name: http, port: ${SERVICE_PORT} }]
`;
}

/** `svc-0-2`, of the service `svc-0`. */
function workloadDocument(name: string): string {
  const service = name.slice(0, name.lastIndexOf('-'));
  return `apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: ${name} }
spec:
  metadata: { labels: { app: ${service} } }
  template: { serviceAccount: ${service} }
`;
}
