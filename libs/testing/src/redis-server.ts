import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';

export interface RedisServerOptions {
  /** Path of `redis-server`. */
  readonly program: string;
  /** Every acknowledged write is on the disk: `appendonly yes`, `appendfsync always`. Without it nothing is kept. */
  readonly durable?: boolean;
  /** Password of the default user. */
  readonly password?: string;
  /** Lines of an ACL file, such as `user default off +@all ~* &*` and `user flotilla on >secret ~{flotilla}:* +@all`. */
  readonly acl?: readonly string[];
  /** PEM texts; the only port speaks TLS. Client certificates are asked for when `clients` says so. */
  readonly tls?: { readonly ca: string; readonly certificate: string; readonly key: string; readonly clients: boolean };
  /** A Cluster of one node that has all slots. */
  readonly cluster?: boolean;
  readonly replicaOf?: { readonly port: number };
  /** A Sentinel that watches a master, and is content with its own judgement. */
  readonly sentinelOf?: { readonly name: string; readonly port: number };
  /** Further directives, such as `['maxmemory', '1mb']`. */
  readonly directives?: readonly (readonly string[])[];
}

export interface RedisServer {
  /** Stays the same over restarts. */
  readonly port: number;
  /** `redis://127.0.0.1:port`, or `rediss://localhost:port`. */
  readonly url: string;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on its port and its data. */
  restart(): Promise<void>;
  /** Stops it in its tracks, and lets it go on: it keeps its connections and answers nobody. */
  freeze(): void;
  thaw(): void;
  /** Carries out a command as the default user, or as the user of an earlier `AUTH` within the words. */
  command(...words: readonly string[]): Promise<string>;
  /** Kills it and removes its data. Idempotent. */
  close(): Promise<void>;
}

// Below the range that systems take port 0 from: while the server is down, nobody who asks for any port gets its own.
const PORTS = { from: 10_240, to: 32_000 };
const ATTEMPTS = 20;

/** Starts a server with a directory of its own. It is killed with `close`, and with this process. */
export async function startRedisServer(options: RedisServerOptions): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-redis-'));
  for (let attempt = 1; ; attempt++) {
    const server = new Server(options, directory, anyPort());
    try {
      await server.restart();
      if (options.cluster === true) await server.formCluster();
      return server;
    } catch (error) {
      await server.kill();
      // Somebody else has the port: another one may be free.
      if (attempt < ATTEMPTS && String(error).includes('in use')) continue;
      await server.close();
      throw error;
    }
  }
}

function anyPort(): number {
  return PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
}

class Server implements RedisServer {
  readonly port: number;
  readonly #options: RedisServerOptions;
  readonly #directory: string;
  readonly #configuration: string;
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();

  constructor(options: RedisServerOptions, directory: string, port: number) {
    this.#options = options;
    this.#directory = directory;
    this.port = port;
    this.#configuration = writeConfiguration(options, directory, port);
  }

  get url(): string {
    return this.#options.tls === undefined ? `redis://127.0.0.1:${this.port}` : `rediss://localhost:${this.port}`;
  }

  async restart(): Promise<void> {
    await this.kill();
    const mode = this.#options.sentinelOf === undefined ? [] : ['--sentinel'];
    const child = spawn(this.#options.program, [this.#configuration, ...mode], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    this.#exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => {
        process.off('exit', kill);
        resolve();
      });
    });
    await untilReady(child);
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    this.#child = null;
    await this.#exited;
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async command(...words: readonly string[]): Promise<string> {
    const { password } = this.#options;
    const lines = [...(password === undefined ? [] : [['AUTH', password]]), words].map(encode).join('');
    const socket = await this.#connect();
    try {
      // Redis answers what it has read, then sees the end.
      socket.end(lines);
      let answer = '';
      for await (const chunk of socket) answer += String(chunk);
      return answer;
    } finally {
      socket.destroy();
    }
  }

  async formCluster(): Promise<void> {
    await this.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    while (!(await this.command('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #connect(): Promise<Socket> {
    const { tls } = this.#options;
    const socket =
      tls === undefined
        ? connectPlain(this.port, '127.0.0.1')
        : connectTls({ port: this.port, host: 'localhost', ca: tls.ca, cert: tls.certificate, key: tls.key });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return socket;
  }
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

/** Resolves when it takes connections; fails with its last words. */
async function untilReady(child: ChildProcess): Promise<void> {
  const said: string[] = [];
  if (child.stdout === null) throw new Error('redis-server has no output');
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      said.push(line);
      if (said.length > 20) said.shift();
      if (/Ready to accept connections|\+monitor master/.test(line)) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`redis-server did not start: ${said.slice(-5).join(' | ')}`)));
  });
}

function writeConfiguration(options: RedisServerOptions, directory: string, port: number): string {
  const { durable = false, password, acl, tls, cluster = false, replicaOf, sentinelOf, directives = [] } = options;
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const lines: (readonly string[])[] = [
    ['dir', directory],
    ['bind', '127.0.0.1'],
    ['port', tls === undefined ? String(port) : '0'],
    ...(password === undefined ? [] : [['requirepass', password]]),
    ...(acl === undefined ? [] : [['aclfile', file('users.acl', `${acl.join('\n')}\n`)]]),
    ...directives,
  ];
  if (sentinelOf === undefined) {
    lines.push(
      ['save', '""'],
      ['appendonly', durable ? 'yes' : 'no'],
      ['appendfsync', 'always'],
      ['hz', '100'],
      ['repl-diskless-sync-delay', '0'],
    );
  } else {
    const { name } = sentinelOf;
    lines.push(
      ['sentinel', 'monitor', name, '127.0.0.1', String(sentinelOf.port), '1'],
      ['sentinel', 'down-after-milliseconds', name, '1000'],
      ['sentinel', 'failover-timeout', name, '3000'],
    );
  }
  if (cluster)
    lines.push(
      ['cluster-enabled', 'yes'],
      // Alone, a node never learns its address.
      ['cluster-announce-ip', '127.0.0.1'],
      ['cluster-port', String(anyPort())],
      ['cluster-node-timeout', '1000'],
    );
  if (replicaOf !== undefined) lines.push(['replicaof', '127.0.0.1', String(replicaOf.port)]);
  if (tls !== undefined) {
    lines.push(
      ['tls-port', String(port)],
      ['tls-ca-cert-file', file('ca.pem', tls.ca)],
      ['tls-cert-file', file('certificate.pem', tls.certificate)],
      ['tls-key-file', file('key.pem', tls.key)],
      ['tls-auth-clients', tls.clients ? 'yes' : 'no'],
    );
  }
  return file('redis.conf', lines.map((line) => `${line.join(' ')}\n`).join(''));
}
