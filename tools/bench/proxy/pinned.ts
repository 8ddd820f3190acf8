import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Core of what is measured; the load and the upstreams run on the other. */
export const MEASURED_CORE = 0;
export const OTHER_CORE = 1;

/** A program on one core. */
export interface Pinned {
  readonly pid: number;
  /** User and system time so far, seconds, of it and the processes that it started. */
  cpuSeconds(): number;
  /** Memory now, MiB, likewise. */
  rssMib(): number;
  stop(): Promise<void>;
  /** Rejects with what it printed when it ends. */
  readonly ended: Promise<never>;
}

/** Starts a program and waits until all the ports answer. Rejects with its output when it ends before. */
export async function startPinned(core: number, command: readonly string[], ports: readonly number[]): Promise<Pinned> {
  const [program = '', ...args] = command;
  const child = spawn('taskset', ['-c', String(core), program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  let output = '';
  const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-4_000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ended = exited.then(() => Promise.reject<never>(new Error(`${program} ended: ${output}`)));
  ended.catch(() => undefined);
  await Promise.race([ended, Promise.all(ports.map(untilOpen))]);
  return pinned(child, exited, ended);
}

function pinned(child: ChildProcess, exited: Promise<void>, ended: Promise<never>): Pinned {
  const pid = child.pid ?? 0;
  return {
    pid,
    ended,
    cpuSeconds: () => family(pid).reduce((sum, each) => sum + cpuSecondsOf(each), 0),
    rssMib: () => family(pid).reduce((sum, each) => sum + rssMibOf(each), 0),
    async stop() {
      for (const each of family(pid).reverse()) kill(each);
      await exited;
    },
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** The process and its descendants. */
function family(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(family)];
}

function cpuSecondsOf(pid: number): number {
  const text = read(`/proc/${pid}/stat`);
  // The name may hold spaces: what follows its bracket is counted.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

function rssMibOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

async function untilOpen(port: number): Promise<void> {
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await delay(50); // polls a process that cannot call back
  }
}
