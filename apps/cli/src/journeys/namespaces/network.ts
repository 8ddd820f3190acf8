import { type ChildProcess, execFileSync, spawn, type StdioOptions } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { withoutSettings } from '@flotilla/service/settings';

/** A network namespace on the bridge. */
export interface Host {
  readonly name: string;
  /** Name of the namespace, unique on this machine. */
  readonly namespace: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface RunOptions {
  /** User and group, by number; default root. */
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdio?: StdioOptions;
}

/** Per-namespace files that `ip netns exec` puts in the place of those in /etc. */
const ETC = '/etc/netns';

/**
 * A bridge with network namespaces on it, each with an IPv4 and an IPv6 address and default routes, reachable from here.
 * Names and addresses are of this run alone. Everything is gone after `close`, and after the end of this process.
 */
export class Network {
  readonly id = randomBytes(3).toString('hex');
  readonly bridge: string;
  /** The bridge's own addresses: this process, as the namespaces see it. */
  readonly ipv4: string;
  readonly ipv6: string;
  readonly hosts: Host[] = [];
  readonly #prefix4: string;
  readonly #prefix6: string;
  readonly #onExit = () => this.close();

  constructor() {
    this.bridge = `fl${this.id}`;
    this.#prefix4 = freePrefix();
    // Written as addresses are shown (RFC 5952): a group that began with a zero would lose it.
    const second = Number.parseInt(this.id.slice(2), 16) | 0x1000;
    this.#prefix6 = `fd${this.id.slice(0, 2)}:${second.toString(16)}`;
    this.ipv4 = `${this.#prefix4}.1`;
    this.ipv6 = `${this.#prefix6}::1`;
    process.once('exit', this.#onExit);
    ip('link', 'add', this.bridge, 'type', 'bridge');
    ip('addr', 'add', `${this.ipv4}/24`, 'dev', this.bridge);
    ip('-6', 'addr', 'add', `${this.ipv6}/64`, 'dev', this.bridge, 'nodad');
    ip('link', 'set', this.bridge, 'up');
  }

  /** Makes a namespace. */
  add(name: string): Host {
    const number = this.hosts.length + 2;
    const host: Host = {
      name,
      namespace: `${this.bridge}-${name}`,
      ipv4: `${this.#prefix4}.${number}`,
      ipv6: `${this.#prefix6}::${number.toString(16)}`,
    };
    this.hosts.push(host);
    const inside = `${this.bridge}i${number}`;
    const outside = `${this.bridge}o${number}`;
    ip('netns', 'add', host.namespace);
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', host.namespace);
    ip('link', 'set', outside, 'master', this.bridge, 'up');
    const inNamespace = (...args: string[]) => ip('-n', host.namespace, ...args);
    inNamespace('link', 'set', 'lo', 'up');
    // As in containers: port 80 needs no privilege.
    const allPorts = 'echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start';
    ip('netns', 'exec', host.namespace, 'sh', '-c', allPorts);
    inNamespace('link', 'set', inside, 'name', 'eth0');
    inNamespace('addr', 'add', `${host.ipv4}/24`, 'dev', 'eth0');
    inNamespace('-6', 'addr', 'add', `${host.ipv6}/64`, 'dev', 'eth0', 'nodad');
    inNamespace('link', 'set', 'eth0', 'up');
    inNamespace('route', 'add', 'default', 'via', this.ipv4);
    inNamespace('-6', 'route', 'add', 'default', 'via', this.ipv6);
    return host;
  }

  /** An address that nobody has, as a cluster gives one to a service: connections to it are captured or go nowhere. */
  virtualAddress(index: number): { readonly ipv4: string; readonly ipv6: string } {
    return { ipv4: `${this.#prefix4}.${200 + index}`, ipv6: `${this.#prefix6}::ffff:${(index + 1).toString(16)}` };
  }

  /** Gives every namespace these names, each with its addresses. */
  setNames(names: Readonly<Record<string, readonly string[]>>): void {
    const lines = Object.entries({ localhost: ['127.0.0.1', '::1'], ...names }).flatMap(([name, addresses]) =>
      addresses.map((address) => `${address} ${name}\n`),
    );
    for (const { namespace } of this.hosts) {
      mkdirSync(join(ETC, namespace), { recursive: true });
      writeFileSync(join(ETC, namespace, 'hosts'), lines.join(''));
    }
  }

  /** Starts a program in a namespace. The child is the program itself, without a shell between. */
  spawn(host: Host, command: readonly string[], { uid = 0, env = {}, stdio = 'pipe' }: RunOptions = {}): ChildProcess {
    return spawn('ip', ['netns', 'exec', host.namespace, ...asUser(uid), ...command], {
      env: { ...withoutSettings(process.env), ...env },
      stdio,
    });
  }

  /** Runs a program to its end; its code and what it said. */
  async run(host: Host, command: readonly string[], options: RunOptions = {}) {
    const child = this.spawn(host, command, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const code = await new Promise<number>((resolve) => child.once('close', (exit) => resolve(exit ?? -1)));
    return { code, stdout, stderr };
  }

  close(): void {
    process.off('exit', this.#onExit);
    for (const { namespace } of this.hosts.splice(0)) {
      attempt(() => ip('netns', 'del', namespace));
      rmSync(join(ETC, namespace), { recursive: true, force: true });
    }
    attempt(() => ip('link', 'del', this.bridge));
  }
}

/** As another user, who may read all files still: a checkout need not be readable by everybody. */
function asUser(uid: number): string[] {
  if (uid === 0) return [];
  const id = String(uid);
  const mayRead = ['--inh-caps', '+dac_read_search', '--ambient-caps', '+dac_read_search'];
  return ['setpriv', '--reuid', id, '--regid', id, '--clear-groups', ...mayRead, '--'];
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // It may never have been made.
  }
}

/** The first three bytes of a private network that this machine is not in. */
function freePrefix(): string {
  const taken = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  for (;;) {
    const [a = 0, b = 0] = randomBytes(2);
    const prefix = `10.${64 + (a % 64)}.${b}`;
    if (!taken.some((address) => address.startsWith(`${prefix}.`))) return prefix;
  }
}
