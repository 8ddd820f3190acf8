import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { withoutSettings } from '@flotilla/service/settings';
// @ts-expect-error plain JavaScript, because Node 20 runs it too
import { isBundleFresh } from '../../../bin/bundle-freshness.js';
import { repository } from '../mesh.ts';

export type ServiceName = 'citadel' | 'galley' | 'pilot' | 'proxy';

const isBundled: boolean = isBundleFresh(repository);

/** What images run: the bundle while it is as new as its sources, the sources otherwise. */
export function serviceProgram(name: ServiceName): string {
  const bundle = name === 'proxy' ? 'proxy/proxy' : name;
  return join(repository, isBundled ? `dist/services/${bundle}.mjs` : `apps/${name}/src/main.ts`);
}

// Nothing outlives the tests.
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One record of a service's log. */
export interface LogRecord {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A service as a process of its own, which may be killed and started again with the same settings. */
export class ServiceProcess {
  readonly name: string;
  readonly #program: ServiceName;
  readonly #args: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | null = null;
  readonly #output: string[] = [];

  constructor(name: string, program: ServiceName, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.name = name;
    this.#program = program;
    this.#args = args;
    this.#env = env;
  }

  start(): this {
    const child = spawn(process.execPath, [serviceProgram(this.#program), ...this.#args], {
      env: { ...withoutSettings(process.env), ...this.#env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => this.#output.push(line));
    }
    running.add(child);
    child.once('exit', () => running.delete(child));
    this.#child = child;
    return this;
  }

  /** Everything it wrote, over all of its lives. */
  get output(): string {
    return this.#output.join('\n');
  }

  /** The records among it. */
  get log(): readonly LogRecord[] {
    // Its own format: one JSON object a line.
    return this.#output.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogRecord);
  }

  /** Ends it with a signal, and resolves with its exit code; null when the signal itself ended it. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    this.#child?.kill(signal);
    return this.exited();
  }

  /** Resolves with the exit code when it has ended by itself. */
  async exited(): Promise<number | null> {
    const child = this.#child;
    if (child === null) return null;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    return child.exitCode;
  }
}
