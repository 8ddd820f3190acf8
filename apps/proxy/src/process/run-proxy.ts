import { createLogger, type LogLevel } from '@flotilla/observe';
import { systemClock } from '@flotilla/runtime';
import { standardError, standardOutput } from '@flotilla/sockets/standard-streams';
import { formatFault } from '../bootstrap/decode.ts';
import { leveledLogger } from '../base/leveled-logger.ts';
import { validateBootstrap } from './validate.ts';

/** `flotilla proxy -c <file> [--mode serve|validate] [--concurrency N] [--log-level L]`. */
export interface RunProxyOptions {
  readonly configPath: string;
  readonly mode: 'serve' | 'validate';
  readonly concurrency: number;
  readonly httpHosts?: readonly string[];
  readonly allowPlaintext?: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: 'json' | 'pretty';
  /** Ends the proxy, such as a signal. */
  readonly until: Promise<unknown>;
  /** How long requests in flight may go on after that, milliseconds; default 5 s. */
  readonly drainMs?: number;
  readonly standardOutput?: NodeJS.WritableStream;
  readonly standardError?: NodeJS.WritableStream;
}

const STOP_DRAIN_MS = 5_000;

/**
 * Runs the data plane from a bootstrap file until `until` settles or `/quitquitquit`. Resolves with the exit code: 0
 * when done, 1 when the file has faults, each of which is written to standard error as `file:line:column: path:
 * message`. Rejects with `system` when the file cannot be read or a port cannot be bound.
 */
export async function runProxy(options: RunProxyOptions): Promise<number> {
  const output = options.standardOutput ?? standardOutput();
  const errors = options.standardError ?? standardError();
  const { bootstrap, faults } = await validateBootstrap(options.configPath);
  if (bootstrap === null) {
    for (const fault of faults) errors.write(`${formatFault(fault)}\n`);
    return 1;
  }
  if (options.mode === 'validate') {
    output.write(`configuration '${options.configPath}' OK\n`);
    return 0;
  }
  const everything = await createLogger({ name: 'proxy', format: options.logFormat, level: 'debug' });
  const { logger, control } = leveledLogger(everything, options.logLevel);
  const quit = Promise.withResolvers<void>();
  const start =
    options.concurrency > 1
      ? (await import('./workers.ts')).startProxyWithWorkers
      : (await import('../stack.ts')).startProxy;
  const proxy = await start({
    bootstrap,
    logger,
    log: control,
    clock: systemClock,
    random: Math.random,
    concurrency: options.concurrency,
    httpHosts: options.httpHosts ?? [],
    allowPlaintext: options.allowPlaintext === true,
    configPath: options.configPath,
    onQuit: quit.resolve,
  });
  const ended = Promise.race([options.until, quit.promise]);
  try {
    await Promise.race([proxy.ready, ended]);
  } catch (error) {
    await proxy.close();
    throw error;
  }
  logger.info('the proxy serves', { admin: proxy.admin, listeners: proxy.listeners() });
  // The sockets keep the process alive; with no listener at all it waits here for configuration to come.
  const alive = setInterval(() => undefined, 60_000);
  await ended;
  await proxy.stop({ drainMs: options.drainMs ?? STOP_DRAIN_MS });
  clearInterval(alive);
  return 0;
}
