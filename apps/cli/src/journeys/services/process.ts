import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
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

export interface ProcessOptions {
  /** File that what it writes is added to, in place of `output`. */
  readonly outputFile?: string;
}

/** A process that may be ended and started again with the same command. */
export class OwnProcess {
  readonly name: string;
  readonly #command: readonly string[];
  readonly #outputFile: string | null;
  #child: ChildProcess | null = null;
  readonly #output: string[] = [];

  constructor(name: string, command: readonly string[], { outputFile }: ProcessOptions = {}) {
    this.name = name;
    this.#command = command;
    this.#outputFile = outputFile ?? null;
  }

  start(): this {
    const [program = '', ...args] = this.#command;
    const file = this.#outputFile === null ? null : openSync(this.#outputFile, 'a');
    const output = file ?? 'pipe';
    const child = spawn(program, args, { env: withoutSettings(process.env), stdio: ['ignore', output, output] });
    if (file !== null) closeSync(file);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface(stream).on('line', (line) => this.#output.push(line));
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

  /** Sends it a signal, such as SIGSTOP, without waiting for what comes of it. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it with a signal, and resolves with its exit code; null when the signal itself ended it. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    this.signal(signal);
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

/** A service of Flotilla as images run it. */
export class ServiceProcess extends OwnProcess {
  constructor(name: string, program: ServiceName, args: readonly string[], options: ProcessOptions = {}) {
    super(name, [process.execPath, serviceProgram(program), ...args], options);
  }
}
