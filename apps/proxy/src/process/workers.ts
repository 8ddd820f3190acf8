import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { toBinary } from '@bufbuild/protobuf';
import { Backoff, FlotillaError, openWatchdog, type Timer, type Watchdog } from '@flotilla/runtime';
import { forkChild } from '@flotilla/sockets/child-process';
import { logged } from '@flotilla/sockets/errors';
import { BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import type { RegisteredMetric } from '../base/stats.ts';
import { requireSharablePorts } from './shared-ports.ts';
import { type ProxyOptions, type RunningProxy, startProxy } from '../stack.ts';
import { type FromWorker, type ToWorker, unpackMetric } from './worker-messages.ts';

export interface WorkersOptions extends Omit<ProxyOptions, 'identity'> {
  /** Program of a worker; default: this package's own. */
  readonly workerProgram?: string;
}

/** Beside this file; beside the bundle when this is one. */
const WORKER_PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './worker-main.ts' : './proxy-worker.mjs', import.meta.url),
);
export interface ProxyWithWorkers extends RunningProxy {
  /** Process ids of the workers that run now. */
  workerPids(): number[];
}

const STATS_WITHIN_MS = 1_000;
/** For the watchdog: until its next try. */
const ANSWER_WITHIN_MS = 3_000;
const HEALTHY_AFTER_MS = 10_000;

/**
 * Starts the data plane in `concurrency` processes that share the ports of a static bootstrap. This one is the first of them and has the
 * administration pages, which count for all. A worker that dies is started again; the others keep the ports. Rejects as
 * `startProxy` does, with `invalid` for a bootstrap that processes cannot share, and with `system` for a port in use.
 */
export async function startProxyWithWorkers(options: WorkersOptions): Promise<ProxyWithWorkers> {
  const concurrency = options.concurrency ?? 1;
  if (concurrency > 1) await requireSharablePorts(options.bootstrap);
  const workers: Worker[] = [];
  const send = (message: ToWorker): void => {
    for (const worker of workers) worker.send(message);
  };
  const proxy = await startProxy({
    ...options,
    reusePort: concurrency > 1,
    otherStats: () => Promise.all(workers.map((worker) => worker.stats())),
    onDrain: () => send({ kind: 'drain' }),
  });
  const watchdog = openWatchdog(options.clock, () => undefined);
  for (let index = 1; index < concurrency; index++) workers.push(startWorker(options, concurrency, index, watchdog));
  const end = async (drainMs: number): Promise<void> => {
    watchdog.close();
    await Promise.all(workers.map((worker) => worker.stop(drainMs)));
  };
  return {
    ...proxy,
    workerPids: () => workers.flatMap((worker) => worker.pid() ?? []),
    ready: Promise.all([proxy.ready, ...workers.map((worker) => worker.ready)]).then(() => undefined),
    async stop(how) {
      await Promise.all([end(how.drainMs), proxy.stop(how)]);
    },
    async close() {
      await Promise.all([end(0), proxy.close()]);
    },
  };
}

interface Worker {
  pid(): number | null;
  readonly ready: Promise<void>;
  send(message: ToWorker): void;
  stats(): Promise<readonly RegisteredMetric[]>;
  stop(drainMs: number): Promise<void>;
}

function startWorker(options: WorkersOptions, concurrency: number, index: number, watchdog: Watchdog): Worker {
  const { clock, logger } = options;
  const program = options.workerProgram ?? WORKER_PROGRAM;
  const bootstrap = Buffer.from(toBinary(BootstrapSchema, options.bootstrap)).toString('base64');
  const backoff = new Backoff({ baseMs: 200, maxMs: 5_000 }, options.random);
  const first = Promise.withResolvers<void>();
  // A worker that never gets ready is in the log; nobody need be waiting for it.
  first.promise.catch(() => undefined);
  const asked = new Map<number, (metrics: readonly RegisteredMetric[] | null) => void>();
  let nextId = 0;
  let child: ChildProcess | null = null;
  let timer: Timer | null = null;
  let isStopping = false;
  let ended: Promise<void> = Promise.resolve();

  function run(): void {
    const startedMs = clock.monotonicMs();
    const ending = Promise.withResolvers<void>();
    ended = ending.promise;
    const started = forkChild(
      program,
      [],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
      {
        onEnd({ code, signal, error }) {
          child = null;
          for (const answer of asked.values()) answer(null);
          asked.clear();
          ending.resolve();
          if (isStopping) return;
          if (clock.monotonicMs() - startedMs > HEALTHY_AFTER_MS) backoff.reset();
          const delayMs = backoff.nextMs();
          logger.error('a worker ended and is started again', { worker: index, code, signal, reason: error?.message });
          timer = clock.after(delayMs, run);
        },
        onError: logged(logger, `telling worker ${index}`),
      },
    );
    child = started;
    send({
      kind: 'start',
      bootstrap,
      concurrency,
      logLevel: options.log?.level() ?? (logger.isDebug() ? 'debug' : 'info'),
    });
    // The channel carries what worker-main sends, which is FromWorker.
    started.on('message', (message) => receive(message as FromWorker));
  }

  function receive(message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        first.resolve();
        return;
      case 'failed':
        first.reject(new FlotillaError('system', `worker ${index}: ${message.message}`));
        return;
      case 'stats':
        asked.get(message.id)?.(message.metrics.map(unpackMetric));
        asked.delete(message.id);
    }
  }

  function send(message: ToWorker): void {
    if (child?.connected === true) child.send(message);
  }

  /** Null when no answer comes in time. */
  function askStats(withinMs: number): Promise<readonly RegisteredMetric[] | null> {
    if (child === null) return Promise.resolve(null);
    const id = nextId++;
    return new Promise((resolve) => {
      const limit = clock.after(withinMs, () => {
        asked.delete(id);
        resolve(null);
      });
      asked.set(id, (metrics) => {
        limit.cancel();
        resolve(metrics);
      });
      send({ kind: 'stats', id });
    });
  }

  run();
  const watch = (): void => {
    if (isStopping) return;
    watchdog.watch({
      name: `worker ${index}`,
      run: () => child?.pid ?? null,
      hasStarted: true,
      answers: async () => (await askStats(ANSWER_WITHIN_MS)) !== null,
      onSilent(silentMs) {
        logger.error('a worker lives but does not answer, and is killed', { worker: index, silentMs });
        child?.kill('SIGKILL');
      },
    });
  };
  // One that failed once may serve after it was started again.
  first.promise.then(watch, watch);
  return {
    pid: () => child?.pid ?? null,
    ready: first.promise,
    send,
    stats: async () => (await askStats(STATS_WITHIN_MS)) ?? [],
    async stop(drainMs) {
      isStopping = true;
      timer?.cancel();
      send({ kind: 'stop', drainMs });
      const kill = clock.after(drainMs + 2_000, () => child?.kill('SIGKILL'));
      await ended;
      kill.cancel();
    },
  };
}
