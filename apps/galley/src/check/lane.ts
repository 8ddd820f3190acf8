import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import type { Logger } from '@flotilla/observe';
import { type Clock, FlotillaError, type Timer } from '@flotilla/runtime';
import { startWorker } from '@flotilla/sockets/worker';
import type { CheckAnswers, CheckRequest, FromWorker } from './messages.ts';

/** Beside this file; beside the bundle when this is one. */
const WORKER_PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './worker-main.ts' : './galley-check-worker.mjs', import.meta.url),
);

export interface LaneOptions {
  /** For messages: "documents", "documents of strangers". */
  readonly subject: string;
  /** Requests that may wait behind the one that is worked on. */
  readonly maxWaiting: number;
  /** Time for one request, without the start of the worker. */
  readonly budgetMs: number;
  readonly maxMemoryMib: number;
  /** A worker that has nothing to do for so long ends. */
  readonly idleMs: number;
  /** Told how long the worker was busy with a request, whatever came of it. */
  readonly onWorked?: (ms: number) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: this package's own. */
  readonly workerProgram?: string;
}

interface Job {
  readonly request: CheckRequest;
  readonly settle: (outcome: CheckAnswers[CheckRequest['kind']] | FlotillaError) => void;
}

/**
 * One worker thread and its queue:
 *
 *   none --run--> starting --ready--> busy --answer--> idle --run--> busy
 *
 * A request that takes too long, too much memory, or is given up ends the worker with it; the next one starts another.
 */
export class CheckLane {
  readonly #options: LaneOptions;
  readonly #waiting: Job[] = [];
  #worker: Worker | null = null;
  #isReady = false;
  #job: Job | null = null;
  #timer: Timer | null = null;
  #startedMs = 0;
  #isClosed = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /**
   * Does what is asked, after those who asked before. Fails with `exhausted` when too many wait, or it takes too much time or
   * memory; with `unavailable` when the signal fires first, or galley closes.
   */
  run<R extends CheckRequest>(request: R, signal?: AbortSignal): Promise<CheckAnswers[R['kind']]> {
    const { subject, maxWaiting } = this.#options;
    if (this.#isClosed) return Promise.reject(new FlotillaError('unavailable', 'galley is shutting down'));
    if (signal?.aborted === true) return Promise.reject(givenUp());
    if (this.#waiting.length >= maxWaiting) {
      return Promise.reject(
        new FlotillaError('exhausted', `${this.#waiting.length} others already wait to have their ${subject} checked`, {
          hint: 'Try again in a few seconds.',
        }),
      );
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => this.#giveUp(job);
      const job: Job = {
        request,
        settle: (outcome) => {
          signal?.removeEventListener('abort', onAbort);
          if (outcome instanceof FlotillaError) reject(outcome);
          // The worker answers each kind with its own answer, which TypeScript cannot follow through the union.
          else resolve(outcome as CheckAnswers[R['kind']]);
        },
      };
      signal?.addEventListener('abort', onAbort);
      this.#waiting.push(job);
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    const closing = new FlotillaError('unavailable', 'galley is shutting down');
    const jobs = [...(this.#job === null ? [] : [this.#job]), ...this.#waiting.splice(0)];
    this.#job = null;
    const worker = this.#worker;
    this.#worker = null;
    for (const job of jobs) job.settle(closing);
    await worker?.terminate();
  }

  #next(): void {
    if (this.#job !== null || this.#isClosed) return;
    this.#timer?.cancel();
    if (this.#waiting.length === 0) {
      this.#timer = this.#options.clock.after(this.#options.idleMs, () => this.#end(null));
      return;
    }
    this.#worker ??= this.#start();
    if (!this.#isReady) return;
    const job = this.#waiting.shift();
    if (job === undefined) return;
    const { budgetMs, subject } = this.#options;
    this.#job = job;
    this.#startedMs = this.#options.clock.monotonicMs();
    this.#timer = this.#options.clock.after(budgetMs, () =>
      this.#end(
        new FlotillaError('exhausted', `checking the ${subject} took longer than ${budgetMs} ms, and was ended`, {
          hint: 'Send fewer or smaller documents at a time.',
        }),
      ),
    );
    this.#worker.postMessage(job.request);
  }

  #start(): Worker {
    const { workerProgram = WORKER_PROGRAM, maxMemoryMib } = this.#options;
    this.#isReady = false;
    const options = {
      resourceLimits: { maxOldGenerationSizeMb: maxMemoryMib },
      // Options of this process, such as a loader of a test runner, are not the worker's.
      execArgv: [],
    };
    const worker = startWorker(workerProgram, options, (error) => this.#failed(worker, error));
    worker.unref();
    worker.on('message', (message: FromWorker) => {
      if (worker === this.#worker) this.#receive(message);
    });
    return worker;
  }

  #failed(worker: Worker, error: NodeJS.ErrnoException): void {
    if (worker !== this.#worker) return;
    const { maxMemoryMib, subject, logger } = this.#options;
    const isMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    if (!isMemory) logger.error('a worker that checks documents failed', { error });
    this.#end(
      isMemory
        ? new FlotillaError('exhausted', `checking the ${subject} took more than ${maxMemoryMib} MiB`, {
            hint: 'Send fewer or smaller documents at a time.',
          })
        : new FlotillaError('internal', 'the worker that checks documents failed', { cause: error }),
    );
  }

  #receive(message: FromWorker): void {
    if (message.kind === 'ready') this.#isReady = true;
    else {
      const job = this.#takeJob();
      job?.settle(message.kind === 'answer' ? message.answer : new FlotillaError('internal', message.message));
    }
    this.#next();
  }

  #giveUp(job: Job): void {
    if (this.#job === job) {
      this.#end(givenUp());
      return;
    }
    const at = this.#waiting.indexOf(job);
    if (at !== -1) this.#waiting.splice(at, 1);
    job.settle(givenUp());
  }

  #takeJob(): Job | null {
    const job = this.#job;
    this.#job = null;
    if (job !== null) this.#options.onWorked?.(this.#options.clock.monotonicMs() - this.#startedMs);
    return job;
  }

  /** Ends the worker, and with it what it works on: that one, or whoever waits for the worker's start. */
  #end(error: FlotillaError | null): void {
    this.#timer?.cancel();
    const worker = this.#worker;
    const job = this.#takeJob() ?? (error === null ? null : (this.#waiting.shift() ?? null));
    this.#worker = null;
    void worker?.terminate();
    if (error !== null) job?.settle(error);
    if (this.#waiting.length > 0) this.#next();
  }
}

function givenUp(): FlotillaError {
  return new FlotillaError('unavailable', 'the caller gave up while its documents were checked: nothing was changed');
}
