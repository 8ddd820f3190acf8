import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { get } from 'node:http';
import { silentLogger } from '@flotilla/observe';
import { systemClock } from '@flotilla/runtime';
import { readBootstrap } from '../../bootstrap/decode.ts';
import { startProxy } from '../../stack.ts';

/** A proxy under comparison: its ports by listener name, and its administration port. */
export interface Subject {
  readonly ports: ReadonlyMap<string, number>;
  readonly admin: number;
  close(): Promise<void>;
}

/** Starts our proxy from a bootstrap file. */
export async function startOurs(file: string): Promise<Subject> {
  const { bootstrap, faults } = await readBootstrap(file);
  if (bootstrap === null) throw new Error(JSON.stringify(faults));
  const proxy = await startProxy({ bootstrap, logger: silentLogger, clock: systemClock, random: Math.random });
  await proxy.ready;
  return {
    ports: new Map(proxy.listeners().map(({ name, port }) => [name, port])),
    admin: proxy.admin?.port ?? 0,
    close: () => proxy.close(),
  };
}

/** Starts Envoy from a bootstrap file. Rejects with its log when it does not come up. */
export async function startEnvoy(program: string, file: string, adminPathFile: string): Promise<Subject> {
  const child = spawn(
    program,
    ['-c', file, '--admin-address-path', adminPathFile, '--disable-hot-restart', '--concurrency', '1', '-l', 'warn'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const failed = exited.then(() => Promise.reject(new Error(`Envoy ended: ${log}`)));
  failed.catch(() => undefined);
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  try {
    const admin = await Promise.race([untilLive(adminPathFile), failed]);
    const { listener_statuses: statuses } = JSON.parse(await fetchText(admin, '/listeners?format=json')) as {
      // Envoy's envoy.admin.v3.Listeners.
      listener_statuses: { name: string; local_address: { socket_address: { port_value: number } } }[];
    };
    const ports = new Map(statuses.map((each) => [each.name, each.local_address.socket_address.port_value]));
    return { ports, admin, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function untilLive(adminPathFile: string): Promise<number> {
  for (;;) {
    const address = await readFile(adminPathFile, 'utf8').catch(() => '');
    const port = Number(/:(\d+)$/.exec(address.trim())?.[1]);
    if (port > 0 && (await fetchText(port, '/ready').catch(() => '')).startsWith('LIVE')) return port;
    await delay(20); // polls a process that cannot call back
  }
}

/** The body of an administration page. */
export function fetchText(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}
