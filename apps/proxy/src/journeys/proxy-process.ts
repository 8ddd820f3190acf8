import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const PROGRAM = join(import.meta.dirname, '../main.ts');

/** A proxy in a process of its own, started from a bootstrap file. */
export interface ProxyProcess {
  readonly pid: number;
  readonly admin: number;
  readonly ports: ReadonlyMap<string, number>;
  /** Most memory that it had at any time, MiB; null where the system does not say (not Linux). */
  peakMib(): number | null;
  /** Asks it to end and waits until it has. */
  stop(): Promise<void>;
}

/** Writes the bootstrap into the folder and waits until it serves. Rejects with its log when it ends before. */
export async function startProxyProcess(
  folder: string,
  name: string,
  bootstrap: string,
  args: readonly string[] = [],
): Promise<ProxyProcess> {
  const file = join(folder, `${name}.yaml`);
  await writeFile(file, bootstrap);
  const child = spawn(process.execPath, [PROGRAM, '-c', file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const log: string[] = [];
  const serving = new Promise<Serving>((resolve, reject) => {
    const take = (line: string): void => {
      log.push(line);
      const parsed = parseServing(line);
      if (parsed !== null) resolve(parsed);
    };
    createInterface({ input: child.stdout }).on('line', take);
    createInterface({ input: child.stderr }).on('line', take);
    void exited.then(() => reject(new Error(`the proxy ended: ${log.join('\n')}`)));
  });
  const { listeners, admin } = await serving;
  const pid = child.pid ?? 0;
  return {
    pid,
    admin: admin?.port ?? 0,
    ports: new Map(listeners.map((listener) => [listener.name, listener.port])),
    peakMib() {
      if (process.platform !== 'linux') return null;
      const kib = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      return Number(kib) / 1024;
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

interface Serving {
  readonly listeners: readonly { readonly name: string; readonly port: number }[];
  readonly admin: { readonly port: number } | null;
}

function parseServing(line: string): Serving | null {
  if (!line.includes('the proxy serves')) return null;
  return JSON.parse(line) as Serving; // what run-proxy logs
}
