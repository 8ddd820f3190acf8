import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { run, runOrThrow } from './run.ts';
import { Tunnel } from './tunnel.ts';

/**
 * A Docker daemon of its own: with its own images, socket and network namespace, so that the machine keeps its firewall
 * rules, bridges and ports, and nothing is left when it is closed. Needs root.
 *
 *   this machine ── veth, `gateway` ── namespace of the daemon, `address` ── bridges ── containers
 *
 * A port published on `address` is reached from this machine; one published on 127.0.0.1 through `forward`.
 */
export class DockerDaemon {
  /** Of the namespace's end of the link, as seen from this machine. */
  readonly address: string;
  /** Of this machine's end. */
  readonly gateway: string;
  readonly namespace: string;
  readonly #folder: string;
  readonly #child: ChildProcess;
  #tunnel: Promise<Tunnel> | undefined;

  private constructor(link: Link, namespace: string, folder: string, child: ChildProcess) {
    this.address = link.address;
    this.gateway = link.gateway;
    this.namespace = namespace;
    this.#folder = folder;
    this.#child = child;
  }

  static async start(dockerd: string): Promise<DockerDaemon> {
    const folder = mkdtempSync(join(tmpdir(), 'flotilla-dockerd-'));
    const namespace = `flotilla-${process.pid}`;
    const link = await openNamespace(namespace);
    const inFolder = (name: string) => join(folder, name);
    const child = spawn(
      'setpriv',
      [
        // Who kills this process gets the daemon ended too.
        ...['--pdeathsig', 'TERM', 'nsenter', `--net=/run/netns/${namespace}`],
        ...[dockerd, '--host', `unix://${inFolder('socket')}`],
        ...['--data-root', inFolder('data'), '--exec-root', inFolder('exec'), '--pidfile', inFolder('pid')],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const daemon = new DockerDaemon(link, namespace, folder, child);
    try {
      await untilListening(child);
    } catch (error) {
      await daemon.close();
      throw error;
    }
    return daemon;
  }

  /** What docker, docker-compose and `npm run images` need to find this daemon; the builder is the one without BuildKit. */
  get environment(): Readonly<Record<string, string>> {
    return {
      DOCKER_HOST: `unix://${join(this.#folder, 'socket')}`,
      DOCKER_BUILDKIT: '0',
      COMPOSE_DOCKER_CLI_BUILD: '0',
    };
  }

  /** `docker …`; throws when it fails. */
  docker(...args: string[]): Promise<string> {
    return runOrThrow('docker', args, { env: this.environment });
  }

  /** A port of this machine's 127.0.0.1 that is `host:port` in the daemon's namespace, a container's for one. */
  async forward(host: string, port: number): Promise<number> {
    this.#tunnel ??= Tunnel.open((program, args) => this.spawnInside(program, args), this.#folder);
    return (await this.#tunnel).forward(host, port);
  }

  /** Starts a program in the daemon's network namespace; the caller ends it. */
  spawnInside(program: string, args: readonly string[]): ChildProcess {
    return spawn('nsenter', [`--net=/run/netns/${this.namespace}`, program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Ends every container and the daemon, and removes images, namespace and files. */
  async close(): Promise<void> {
    await (await this.#tunnel)?.close();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const { stdout } = await run('docker', ['ps', '--all', '--quiet'], { env: this.environment });
      const containers = stdout.split('\n').filter((line) => line !== '');
      if (containers.length > 0) await run('docker', ['rm', '--force', ...containers], { env: this.environment });
      const exited = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await exited;
    }
    await run('ip', ['netns', 'delete', this.namespace]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface Link {
  readonly address: string;
  readonly gateway: string;
}

/** Makes the namespace and its link to this machine. */
async function openNamespace(namespace: string): Promise<Link> {
  // A network of four addresses for each process id, so that several test runs do not meet.
  const network = `10.231.${(process.pid >> 6) & 255}`;
  const first = (process.pid & 63) * 4;
  const [gateway, address] = [`${network}.${first + 1}`, `${network}.${first + 2}`];
  const device = `flt${process.pid}`;
  const ip = (...args: string[]) => runOrThrow('ip', args);
  await ip('netns', 'add', namespace);
  await ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'uplink', 'netns', namespace);
  await ip('address', 'add', `${gateway}/30`, 'dev', device);
  await ip('link', 'set', device, 'up');
  await ip('-n', namespace, 'address', 'add', `${address}/30`, 'dev', 'uplink');
  await ip('-n', namespace, 'link', 'set', 'uplink', 'up');
  await ip('-n', namespace, 'link', 'set', 'lo', 'up');
  return { address, gateway };
}

/** The daemon logs to standard error, and one line of it says that it listens. */
async function untilListening(child: ChildProcess): Promise<void> {
  if (child.stderr === null) throw new Error('dockerd has no standard error');
  let log = '';
  for await (const line of createInterface(child.stderr)) {
    log += `${line}\n`;
    if (!line.includes('API listen on')) continue;
    child.stderr.resume(); // Not read any more, and never blocks the daemon.
    return;
  }
  throw new Error(`dockerd ended before it listened:\n${log}`);
}
