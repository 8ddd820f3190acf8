import type { ChildProcess } from 'node:child_process';
import { type Clock, FlotillaError, type Timer } from '@flotilla/runtime';
import type { RotatingFile } from '@flotilla/runtime/disk';
import type { Logger } from '@flotilla/observe';
import { type ChildEnd, startChild } from '@flotilla/sockets/child-process';
import { logged } from '@flotilla/sockets/errors';
import type { Reaper } from './reaper.ts';

export type ProcessEnvironment = Readonly<Record<string, string | undefined>>;

export interface ProcessSpec {
  /** For messages, such as `reviews-v1/application`. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** A function is asked at every start; when it fails, that is a start that failed. */
  readonly env: ProcessEnvironment | (() => Promise<ProcessEnvironment>);
  readonly directory: string;
  /** Takes standard output and error. They come by pipes, so that a full disk is never the program's affair. */
  readonly output: Pick<RotatingFile, 'write'>;
  /** Take standard output line by line instead. */
  readonly onLine?: (line: string) => void;
  /** Hear standard error line by line; it goes to `output` all the same. */
  readonly onErrorLine?: (line: string) => void;
}

export interface SupervisedOptions {
  readonly reaper: Reaper;
  readonly clock: Clock;
  readonly logger: Logger;
}

// A process that ran this long was well: its next crash starts the back-off anew.
const HEALTHY_AFTER_MS = 10_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;

/**
 * A child process in a process group of its own, started again with growing delay whenever it ends by
 * itself, until `stop`.
 */
export class SupervisedProcess {
  readonly #spec: ProcessSpec;
  readonly #options: SupervisedOptions;
  #child: ChildProcess | null = null;
  #restart: Timer | null = null;
  #delayMs = FIRST_DELAY_MS;
  #isStopping = false;
  #exit: Promise<void> = Promise.resolve();
  #firstExit: (() => void) | null = null;

  constructor(spec: ProcessSpec, options: SupervisedOptions) {
    this.#spec = spec;
    this.#options = options;
  }

  /** Pid of the present run, null between runs. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Calls back when the present run ends by itself; used while waiting for it to get ready. */
  onFirstExit(listener: () => void): void {
    this.#firstExit = listener;
  }

  /** Resolves when the program runs; rejects with `system` when it cannot be started at all. */
  async start(): Promise<void> {
    const { env } = this.#spec;
    const environment = typeof env === 'function' ? await env() : env;
    // It may have been told to stop meanwhile.
    if (!this.#isStopping) await this.#spawn(environment);
  }

  #spawn(env: ProcessEnvironment): Promise<void> {
    const { program, args, directory, output, onLine, onErrorLine, name } = this.#spec;
    const startedMs = this.#options.clock.monotonicMs();
    const ended = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const child = startChild(
      program,
      args,
      { cwd: directory, env: { ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
      {
        onEnd: (end) => {
          ended.resolve();
          if (end.error === null) return this.#ended(child, startedMs, end);
          this.#child = null;
          started.reject(
            new FlotillaError('system', `cannot start ${name}: ${end.error.message}`, { cause: end.error }),
          );
        },
        onError: logged(this.#options.logger, `telling ${name}`),
      },
    );
    this.#child = child;
    this.#exit = ended.promise;
    if (onLine === undefined) child.stdout?.on('data', (chunk: Buffer) => output.write(chunk));
    else if (child.stdout !== null) readLines(child.stdout, onLine);
    child.stderr?.on('data', (chunk: Buffer) => output.write(chunk));
    if (onErrorLine !== undefined && child.stderr !== null) readLines(child.stderr, onErrorLine);
    child.once('spawn', () => {
      if (child.pid !== undefined) this.#options.reaper.watch(child.pid);
      started.resolve();
    });
    return started.promise;
  }

  /** Ends the present run by force; it is started again. For one that hears no other signal. */
  kill(): void {
    const pid = this.#child?.pid;
    if (pid !== undefined) signalGroup(pid, 'SIGKILL');
  }

  /** SIGTERM to the whole group, SIGKILL after `graceMs`; resolves when the process is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#restart?.cancel();
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    signalGroup(pid, 'SIGTERM');
    const force = this.#options.clock.after(graceMs, () => signalGroup(pid, 'SIGKILL'), { keepAlive: true });
    await this.#exit;
    force.cancel();
    // What the process itself started belongs to its group and ends with it.
    signalGroup(pid, 'SIGKILL');
  }

  #ended(child: ChildProcess, startedMs: number, { code, signal }: ChildEnd): void {
    const { reaper, clock, logger } = this.#options;
    if (child.pid !== undefined) {
      if (!this.#isStopping) signalGroup(child.pid, 'SIGKILL');
      reaper.forget(child.pid);
    }
    this.#child = null;
    if (this.#isStopping) return;
    this.#firstExit?.();
    this.#firstExit = null;
    if (clock.monotonicMs() - startedMs > HEALTHY_AFTER_MS) this.#delayMs = FIRST_DELAY_MS;
    const how = signal === null ? `exited with ${code}` : `was ended by ${signal}`;
    logger.warn(`${this.#spec.name} ${how}, starting it again`, { delayMs: this.#delayMs });
    this.#startLater();
  }

  #startLater(): void {
    this.#restart = this.#options.clock.after(this.#delayMs, () => void this.#startAgain(), { keepAlive: true });
    this.#delayMs = Math.min(MAX_DELAY_MS, this.#delayMs * 2);
  }

  async #startAgain(): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      // The program may be in the midst of being replaced.
      this.#options.logger.error(FlotillaError.from(error).message);
      if (!this.#isStopping) this.#startLater();
    }
  }
}

function signalGroup(pgid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pgid, signal);
  } catch (error) {
    // ESRCH: the group is gone already. EPERM: macOS says so of a group whose leader has ended.
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

function readLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
}
