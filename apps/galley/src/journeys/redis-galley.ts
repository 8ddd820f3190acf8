import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { type Client, createClient } from '@connectrpc/connect';
import { createRpcTransport, type RpcTransport } from '@flotilla/rpc';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';

/** Bundles the child once: from one file it starts in a third of the time. Returns its path in the directory. */
export async function bundleGalley(directory: string): Promise<string> {
  await build({
    // Beside each other, and by these names, as `lane` finds its worker.
    entryPoints: {
      galley: join(import.meta.dirname, 'redis-galley.child.ts'),
      'galley-check-worker': join(import.meta.dirname, '../check/worker-main.ts'),
    },
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'warning',
  });
  return join(directory, 'galley.mjs');
}

/** A galley in a process of its own, started again as often as it is killed. */
export class GalleyProcess {
  readonly #program: string;
  readonly #redisUrl: string;
  #child: ChildProcess | null = null;
  #transport: RpcTransport | null = null;
  /** `null` while it starts. */
  client: Client<typeof GalleyService> | null = null;

  constructor(program: string, redisUrl: string) {
    this.#program = program;
    this.#redisUrl = redisUrl;
  }

  /** Resolves when it serves, or was killed before. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [this.#program, this.#redisUrl], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    for await (const url of createInterface({ input: child.stdout })) {
      this.#transport = createRpcTransport({ url, protocol: 'connect' });
      this.client = createClient(GalleyService, this.#transport);
      return;
    }
  }

  /** `kill -9`; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.client = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    this.#transport?.close();
    this.#transport = null;
  }
}
