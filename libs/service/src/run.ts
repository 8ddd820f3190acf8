import { createLogger, type Logger, traceFields } from '@flotilla/observe';
import { openTelemetry, type Telemetry } from '@flotilla/observe/telemetry';
import { serveRpc } from '@flotilla/rpc/server';
import { type Clock, FlotillaError, type Random, StopStack, systemClock } from '@flotilla/runtime';
import { ownStandardStreams, printMessage, standardOutput } from '@flotilla/sockets/standard-streams';
import { ExitCode, exitCodeOf } from './exit-codes.ts';
import { operationsPages } from './operations.ts';
import { createReadiness, type Readiness } from './readiness.ts';
import { settingsHelp } from './settings/document.ts';
import { logFileOf, logFileSettings } from './settings/log-file.ts';
import { readSettings, type SettingsOf, type SettingsTable } from './settings/read.ts';
import * as settings from './settings/index.ts';
import { untilSignal } from './signals.ts';

const VERSION = '0.1.0';
// Left of the stop time for what closes after the last calls.
const STOP_RESERVE_MS = 1_000;

/** Settings that every service has. */
export const serviceSettings = (statusAddress: string) => ({
  statusAddress: settings.address({
    description: 'plaintext HTTP: /healthz, /readyz, /metrics, and grpc.health.v1',
    standard: statusAddress,
  }),
  httpHosts: settings.httpHostsSetting,
  secretMode: settings.secretModeSetting,
  stopTime: settings.duration({ description: 'how long an orderly stop may take', standard: '10s' }),
  logLevel: settings.oneOf(['debug', 'info', 'warn', 'error'], { description: 'least level', standard: 'info' }),
  logFormat: settings.oneOf(['json', 'pretty'], { description: 'form of the log', standard: 'json' }),
  ...logFileSettings,
  otlpEndpoint: settings.optional(
    settings.url({ description: 'send spans here by OTLP/HTTP', form: 'http://host:port' }),
  ),
});

type Common = SettingsOf<ReturnType<typeof serviceSettings>>;

/** What a service is started with. */
export interface ServiceContext<Values> {
  readonly settings: Values & Common;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  /** What must be there before the service can serve. */
  readonly readiness: Readiness;
  /** What to close at the end, last opened first. */
  readonly stop: StopStack;
  /** Aborts when the process is asked to end: nothing must be waited for any more. */
  readonly signal: AbortSignal;
  /** How long open calls may go on while it stops, in milliseconds. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** A program that runs until it is stopped. */
export interface Service<Table extends SettingsTable = SettingsTable> {
  readonly name: string;
  /** What it does, completing "name: …". */
  readonly summary: string;
  readonly statusAddress: string;
  readonly settings: Table;
  /** Resolves when everything is started; what must be waited for goes on behind gates of `readiness`. */
  start(context: ServiceContext<SettingsOf<Table>>): Promise<void>;
}

/** The whole table of a service: its own settings, then those that every service has. */
export function settingsOf(service: Service): SettingsTable {
  return { ...service.settings, ...serviceSettings(service.statusAddress) };
}

/**
 * Runs a service as the program: reads its settings, opens the status port first, starts it, and stops it in order at
 * SIGINT or SIGTERM. Resolves with the exit code: 0 after an orderly stop, 1 when it failed, 2 for wrong settings, 3 when
 * a peer it cannot start without was out of reach.
 */
export async function runService<Table extends SettingsTable>(
  service: Service<Table>,
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  ownStandardStreams();
  const table = { ...service.settings, ...serviceSettings(service.statusAddress) };
  if (argv.includes('--help') || argv.includes('-h')) {
    standardOutput().write(settingsHelp(service.name, service.summary, table));
    return ExitCode.done;
  }
  let values: SettingsOf<Table> & Common;
  try {
    values = readSettings(table, argv, env) as SettingsOf<Table> & Common; // what `table` was put together from
  } catch (thrown) {
    printMessage(`${service.name}: ${FlotillaError.from(thrown).describe()}`);
    printMessage(`Run "${service.name} --help" for all settings.`);
    return ExitCode.usage;
  }
  const lost = { lines: 0 };
  const logger = await createLogger({
    name: service.name,
    format: values.logFormat,
    level: values.logLevel,
    ...logFileOf(values),
    onLost: (lines) => void (lost.lines += lines),
    mixin: traceFields,
  });
  return runStarted(service, values, logger, () => lost.lines);
}

async function runStarted<Table extends SettingsTable>(
  service: Service<Table>,
  values: SettingsOf<Table> & Common,
  logger: Logger,
  lostLogLines: () => number,
): Promise<number> {
  const stop = new StopStack();
  const ending = new AbortController();
  const signalled = untilSignal().then((signal) => {
    ending.abort();
    return signal;
  });
  const readiness = createReadiness(logger);
  const started = readiness.gate('starting');
  let code: number = ExitCode.done;
  try {
    const telemetry = await openTelemetry({
      service: `flotilla-${service.name}`,
      version: VERSION,
      otlpEndpoint: values.otlpEndpoint,
      lostLogLines,
    });
    stop.push('telemetry', () => telemetry.close());
    await openStatus(values, readiness, telemetry, logger, stop);
    const starting = service.start({
      settings: values,
      logger,
      telemetry,
      readiness,
      stop,
      signal: ending.signal,
      drainMs: Math.max(0, values.stopTime - STOP_RESERVE_MS),
      clock: systemClock,
      random: Math.random,
    });
    await Promise.race([starting.then(() => started.open()), signalled]);
    logger.info('stopping', { signal: await signalled });
    // Whatever it still waited for at that moment fails now, and is nobody's fault.
    starting.catch(() => undefined);
  } catch (thrown) {
    code = failed(thrown, logger, ending.signal);
  }
  readiness.stop();
  return (await stopWithin(stop, values.stopTime, logger)) ? code : ExitCode.no;
}

function failed(thrown: unknown, logger: Logger, ending: AbortSignal): number {
  if (ending.aborted) return ExitCode.done;
  const error = FlotillaError.from(thrown);
  logger.error(error.message, {
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.code === 'internal' ? { error } : {}),
  });
  return exitCodeOf(error);
}

async function openStatus(
  { statusAddress, httpHosts }: Common,
  readiness: Readiness,
  telemetry: Telemetry,
  logger: Logger,
  stop: StopStack,
): Promise<void> {
  const server = await serveRpc({
    address: statusAddress,
    hosts: httpHosts,
    routes: () => undefined,
    health: readiness.health,
    fallback: operationsPages(telemetry, readiness),
    logger,
    drainMs: 0,
  });
  stop.push('status port', () => server.close());
  logger.info('status', { url: server.url });
}

/** False when something did not close in time or failed to: the process ends all the same. */
async function stopWithin(stop: StopStack, limitMs: number, logger: Logger): Promise<boolean> {
  const late = Promise.withResolvers<'late'>();
  const timer = systemClock.after(limitMs, () => late.resolve('late'), { keepAlive: true });
  try {
    if ((await Promise.race([stop.close(), late.promise])) !== 'late') return true;
    logger.error('not everything was closed within the stop time', { limitMs });
    return false;
  } catch (error) {
    logger.error('an orderly stop failed', { error });
    return false;
  } finally {
    timer.cancel();
  }
}
