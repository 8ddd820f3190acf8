import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A proxy under comparison: its ports by listener name, and its administration pages. */
export interface Subject {
  readonly name: 'envoy' | 'ours';
  readonly ports: ReadonlyMap<string, number>;
  /** All statistics that are not zero. */
  stats(): Promise<ReadonlyMap<string, number>>;
  /** What it has said; the last thing, when it ended by itself. */
  output(): string;
  hasEnded(): boolean;
  close(): Promise<void>;
}

const ROOT = resolve(import.meta.dirname, '../../..');

/** Node as the repository pins it, which runs TypeScript; else the one that runs this. */
const NODE = [resolve(ROOT, 'node_modules/node/bin/node')].find(existsSync) ?? process.execPath;

/** Starts Envoy from a bootstrap file. Rejects with its log when it does not come up. */
export async function startEnvoy(program: string, file: string): Promise<Subject> {
  const addressFile = `${file}.admin`;
  const child = spawn(
    program,
    [
      '-c',
      file,
      '--admin-address-path',
      addressFile,
      '--disable-hot-restart',
      '--concurrency',
      '1',
      '-l',
      'warn',
      '--file-flush-interval-msec',
      '20',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  return await subjectOf('envoy', child, async () => {
    const address = await readFile(addressFile, 'utf8').catch(() => '');
    const port = Number(/:(\d+)$/.exec(address.trim())?.[1]);
    if (!(port > 0) || !(await fetchText(port, '/ready').catch(() => '')).startsWith('LIVE')) return null;
    return port;
  });
}

/** Starts our proxy as a program, from the same file. */
export async function startOurs(file: string): Promise<Subject> {
  const child = spawn(NODE, [resolve(ROOT, 'apps/proxy/src/main.ts'), '-c', file, '--log-format', 'json'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-100_000)));
  return await subjectOf('ours', child, async () => {
    const port = /"admin":\{"host":"[^"]*","port":(\d+)\}/.exec(said)?.[1];
    return await Promise.resolve(port === undefined ? null : Number(port));
  });
}

const START_MS = 30_000;

async function subjectOf(
  name: Subject['name'],
  child: ChildProcess,
  findAdmin: () => Promise<number | null>,
): Promise<Subject> {
  let log = '';
  let hasEnded = false;
  child.stderr?.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-20_000)));
  const exited = new Promise<void>((done) => child.once('exit', () => done())).then(() => (hasEnded = true));
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await exited;
    clearTimeout(timer);
  };
  try {
    let admin: number | null = null;
    const deadline = Date.now() + START_MS;
    while (admin === null) {
      if (Date.now() > deadline) throw new Error(`${name} does not start: ${log}`);
      if (hasEnded) throw new Error(`${name} ended: ${log}`);
      admin = await findAdmin();
      if (admin === null) await delay(20); // polls a process that cannot call back
    }
    const port = admin;
    const ports = portsOf(await fetchText(port, '/listeners?format=json'));
    return {
      name,
      ports,
      stats: async () => statsOf(await fetchText(port, '/stats?usedonly')),
      output: () => log,
      hasEnded: () => hasEnded,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function portsOf(text: string): ReadonlyMap<string, number> {
  const { listener_statuses: statuses = [] } = JSON.parse(text) as {
    // envoy.admin.v3.Listeners.
    listener_statuses?: { name: string; local_address: { socket_address: { port_value: number } } }[];
  };
  return new Map(statuses.map((each) => [each.name, each.local_address.socket_address.port_value]));
}

function statsOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').map((line) => line.split(': '));
  return new Map(lines.map(([name = '', value = '']) => [name, Number(value)]));
}

const agent = new Agent({ keepAlive: false });

function fetchText(port: number, path: string): Promise<string> {
  return new Promise((done, fail) => {
    get({ host: '127.0.0.1', port, path, agent }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => done(text));
    }).on('error', fail);
  });
}
