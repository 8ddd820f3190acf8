import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parse, parseAllDocuments } from 'yaml';
import { repository } from '../mesh.ts';
import type { MeshRedis } from './separate-mesh.ts';

/** Where deploy/ has a Redis of its own. */
export const SHIPPED_IN = ['compose', 'kubernetes'] as const;
export type ShippedIn = (typeof SHIPPED_IN)[number];

/** The script that the container of Redis runs, word for word. */
export function shippedScript(where: ShippedIn): string {
  const read = (path: string) => readFileSync(join(repository, 'deploy', path), 'utf8');
  // Both have the form `[sh, -c, script]`; another one fails below.
  const command: readonly unknown[] =
    where === 'compose'
      ? parse(read('compose/compose.yaml'), { merge: true }).services.redis.command
      : parseAllDocuments(read('kubernetes/base/redis.yaml'))
          .map((document) => document.toJS())
          .find(({ kind }) => kind === 'StatefulSet').spec.template.spec.containers[0].command;
  const [shell, flag, script] = command;
  if (shell !== 'sh' || flag !== '-c' || typeof script !== 'string') throw new Error(`Redis in ${where} is no script`);
  return where === 'compose' ? script.replaceAll('$$', '$') : script; // Compose would take a single one for a variable.
}

export interface ShippedRedisOptions {
  /** Path of `redis-server`. */
  readonly program: string;
  readonly port: number;
  /** For its data. Made when it is not there; the caller removes it. */
  readonly directory: string;
  /** What `flotilla secrets` made. */
  readonly secrets: string;
}

/** Redis as a platform runs it from deploy/, with a port, a directory and a program of this machine in their places. */
export class ShippedRedis implements MeshRedis {
  readonly url: string;
  readonly credentials: readonly string[];
  readonly #options: ShippedRedisOptions;
  readonly #output: string[] = [];
  #child: ChildProcess | null = null;

  constructor(options: ShippedRedisOptions) {
    this.#options = options;
    this.url = `redis://127.0.0.1:${options.port}/0`;
    const password = join(options.secrets, 'redis-password');
    this.credentials = ['--redis-username', 'flotilla', '--redis-password-file', password];
    mkdirSync(options.directory, { recursive: true });
  }

  /** What it wrote, over all of its lives. */
  get output(): string {
    return this.#output.join('\n');
  }

  /** Starts it; resolves when it takes connections. */
  async start(where: ShippedIn): Promise<void> {
    const child = spawn('sh', ['-c', this.#script(where)], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        this.#output.push(line);
        if (line.includes('Ready to accept connections')) resolve();
      });
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`Redis did not start:\n${this.#output.slice(-5).join('\n')}`)));
    });
  }

  /** Sends it a signal, such as SIGSTOP, without waiting for what comes of it. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it; resolves when it is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.signal(signal);
    return this.exited();
  }

  /** Resolves when it has ended by itself. */
  async exited(): Promise<void> {
    const child = this.#child;
    if (child !== null && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  restart(): Promise<void> {
    return this.start('compose');
  }

  close(): Promise<void> {
    return this.kill();
  }

  #script(where: ShippedIn): string {
    const { program, port, directory, secrets } = this.#options;
    const places: readonly (readonly [RegExp, string])[] = [
      [/exec redis-server /, `exec '${program}' --bind 127.0.0.1 --port ${port} `],
      [/--dir \/data /, `--dir '${directory}' `],
      [/(\/run)?\/secrets\/redis-password/, `'${join(secrets, 'redis-password')}'`],
    ];
    return places.reduce((script, [shipped, here]) => {
      if (!shipped.test(script)) throw new Error(`the script of Redis in ${where} has no ${shipped.source}`);
      return script.replace(shipped, () => here);
    }, shippedScript(where));
  }
}
