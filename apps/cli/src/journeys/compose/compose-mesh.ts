import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DockerDaemon, runOrThrow } from '@flotilla/testing/docker';
import { type CommandResult, repository, runFlotilla } from '../mesh.ts';
import { ContainerEvents } from './events.ts';
import { makeImages, REDIS_IMAGE } from './images.ts';
import { WireTap } from './wire.ts';

const WORKLOADS = [
  'istio-system/istio-ingressgateway',
  ...['productpage', 'details', 'reviews', 'ratings'].map((name) => `default/bookinfo-${name}`),
];

/**
 * deploy/compose in a Docker daemon of its own, run from a copy of deploy/ with fresh secrets. The ingress gateway is
 * reached at the address of the daemon's network namespace; the ports that are published on its 127.0.0.1 are forwarded.
 */
export class ComposeMesh {
  readonly daemon: DockerDaemon;
  readonly events: ContainerEvents;
  /** Packets since the network was made, before any container started. */
  readonly wire: WireTap;
  readonly #folder: string;
  #environment: Readonly<Record<string, string>> = {};
  seconds = 0;

  private constructor(daemon: DockerDaemon, folder: string, events: ContainerEvents, wire: WireTap) {
    this.daemon = daemon;
    this.#folder = folder;
    this.events = events;
    this.wire = wire;
  }

  /** Images, secrets, containers: all but started. */
  static async create(dockerd: string): Promise<ComposeMesh> {
    const daemon = await DockerDaemon.start(dockerd);
    const folder = mkdtempSync(join(tmpdir(), 'flotilla-compose-'));
    try {
      await makeImages(daemon);
      cpSync(join(repository, 'deploy'), join(folder, 'deploy'), { recursive: true });
      const workloads = WORKLOADS.flatMap((workload) => ['--workload', workload]);
      const made = await runFlotilla([
        'secrets',
        '--mode',
        '0644',
        '--out',
        join(folder, 'deploy/compose/secrets'),
        ...workloads,
      ]);
      if (made.code !== 0) throw new Error(`flotilla secrets failed:\n${made.stderr}`);
      await compose(daemon, folder, ['up', '--no-start', 'citadel']);
      const events = new ContainerEvents(
        spawn('docker', ['events', '--filter', 'type=container', '--format', '{{json .}}'], {
          env: { ...process.env, ...daemon.environment },
          stdio: ['ignore', 'pipe', 'ignore'],
        }),
      );
      const network = await daemon.docker('network', 'inspect', '--format', '{{.Id}}', 'compose_mesh');
      const wire = await WireTap.open(daemon, `br-${network.slice(0, 12)}`, folder);
      return new ComposeMesh(daemon, folder, events, wire);
    } catch (error) {
      await daemon.close();
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  get ingress(): string {
    return `http://${this.daemon.address}:8080`;
  }

  /** `docker-compose …` in deploy/compose; throws when it fails. */
  compose(...args: string[]): Promise<string> {
    return compose(this.daemon, this.#folder, args);
  }

  /** Starts everything and waits until all that should run does. */
  async up(): Promise<void> {
    const start = performance.now();
    await this.compose('up', '-d');
    await this.events.until('ingressgateway', 'health_status: healthy');
    this.seconds = (performance.now() - start) / 1000;
    const secrets = join(this.#folder, 'deploy/compose/secrets');
    const url = async (port: number) => `https://localhost:${await this.daemon.forward('127.0.0.1', port)}`;
    this.#environment = {
      FLOTILLA_API: await url(9901),
      FLOTILLA_PILOT_API: `${await url(15013)},${await url(15113)}`,
      FLOTILLA_CITADEL_API: await url(8060),
      FLOTILLA_CA_ROOTS: join(secrets, 'root-cert.pem'),
      FLOTILLA_ADMIN_TOKEN_FILE: join(secrets, 'admin-token'),
    };
  }

  /** By which tools on this machine reach the mesh. */
  get environment(): Readonly<Record<string, string>> {
    return this.#environment;
  }

  /** Runs the command line against the published API ports. */
  run(...args: string[]): Promise<CommandResult> {
    return runFlotilla(args, this.#environment);
  }

  async apply(...files: string[]): Promise<void> {
    const result = await this.run('apply', ...files.flatMap((file) => ['-f', file]), '--wait');
    if (result.code !== 0) throw new Error(`apply ${files.join(' ')} failed:\n${result.stderr}${result.stdout}`);
  }

  /** From within the application's container, which knows of no proxy. */
  async countReviews(count: number): Promise<ReadonlyMap<string, number>> {
    const source = readFileSync(join(import.meta.dirname, '../count-versions.ts'), 'utf8');
    const call = `countVersions({ host: 'reviews', port: 9080, path: '/reviews/0' }, ${count})`;
    const text = await this.inContainer('productpage-v1', [
      ...['node', '--input-type=module-typescript', '--eval'],
      `${source}\nconsole.log(JSON.stringify([...(await ${call})]));`,
    ]);
    // What the line above prints.
    return new Map(JSON.parse(text) as [string, number][]);
  }

  async metrics(workload: string): Promise<string> {
    return (await fetch(await this.metricsUrl(workload))).text();
  }

  /** Of a workload's proxy, at its status port. */
  async metricsUrl(workload: string): Promise<string> {
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    const address = await this.daemon.docker('inspect', '--format', format, await this.containerOf(`${workload}-net`));
    return `http://127.0.0.1:${await this.daemon.forward(address, 15021)}/stats/prometheus`;
  }

  async inContainer(service: string, command: readonly string[]): Promise<string> {
    return this.daemon.docker('exec', await this.containerOf(service), ...command);
  }

  /** Id of the one container of a service. */
  containerOf(service: string): Promise<string> {
    return this.daemon.docker('ps', '--all', '--quiet', '--filter', `label=com.docker.compose.service=${service}`);
  }

  /** Removes whatever is left. */
  async stop(): Promise<void> {
    await this.events.close();
    await this.daemon.close();
    rmSync(this.#folder, { recursive: true });
  }
}

function compose(daemon: DockerDaemon, folder: string, args: readonly string[]): Promise<string> {
  return runOrThrow('docker-compose', args, {
    cwd: join(folder, 'deploy/compose'),
    env: { ...daemon.environment, REDIS_IMAGE, FLOTILLA_GATEWAY_ADDRESS: `${daemon.address}:8080` },
  });
}
