import { standardError } from '@flotilla/sockets/standard-streams';
import type { DestinationStream, Level, Logger as PinoLogger } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * Structured log of one component. `fields` become keys of the record; an `error` field is written with
 * message, code and stack. Costly fields belong behind `isDebug()`.
 */
export interface Logger {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
  /** A logger that adds these fields to every record. */
  child(fields: object): Logger;
  isDebug(): boolean;
}

export interface LoggerOptions {
  /** Name of the service, written as `name`. */
  readonly name: string;
  /** `json`: one object a line. `pretty`: for a person at a terminal. */
  readonly format: 'json' | 'pretty';
  readonly level: LogLevel;
  /** Default: standard error, so that standard output stays free for results. */
  readonly destination?: NodeJS.WritableStream;
  /** Fields computed for every record, such as the ids of the current trace. */
  readonly mixin?: () => object;
}

/** Opens a logger. The library, and the formatter for `pretty`, are loaded only here: silence costs no memory. */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const { default: pino } = await import('pino');
  const target: DestinationStream = options.destination ?? standardError();
  let stream = target;
  if (options.format === 'pretty') {
    const { default: pretty } = await import('pino-pretty');
    stream = pretty({
      destination: options.destination ?? standardError(),
      ignore: 'pid,hostname,name',
      messageFormat: '{name}: {msg}',
      singleLine: true,
      sync: true,
    });
  }
  return wrap(
    pino(
      {
        name: options.name,
        level: options.level,
        serializers: { error: pino.stdSerializers.err },
        formatters: { level: (label) => ({ level: label }) },
        timestamp: pino.stdTimeFunctions.isoTime,
        ...(options.mixin === undefined ? {} : { mixin: options.mixin }),
      },
      stream,
    ),
  );
}

function wrap(inner: PinoLogger): Logger {
  const at = (level: Level) => (message: string, fields?: object) => {
    if (fields === undefined) inner[level](message);
    else inner[level](fields, message);
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(inner.child(fields)),
    isDebug: () => inner.isLevelEnabled('debug'),
  };
}

/** Writes nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
  isDebug: () => false,
};
