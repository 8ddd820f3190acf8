import { type LogBounds, type LogLoss, openRotatingFile, type RotatingFile } from '@flotilla/runtime/disk';
import { type Clock, printable, printableLines, systemClock } from '@flotilla/runtime';
import { standardError } from '@flotilla/sockets/standard-streams';
import { Writable } from 'node:stream';
import type { Level, Logger as PinoLogger } from 'pino';
import { lossyStream } from './lossy-stream.ts';

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
  /** In place of a destination: a file that rotates. */
  readonly file?: LogBounds & { readonly path: string };
  /** Told of lines that the destination does not take. A line says how many they were when it takes them again. */
  readonly onLost?: (lines: number) => void;
  readonly clock?: Clock;
  /** Fields computed for every record, such as the ids of the current trace. */
  readonly mixin?: () => object;
}

/**
 * Opens a logger. A destination that fails costs lines and nothing else. The library, and the formatter for `pretty`,
 * are loaded only here: silence costs no memory.
 */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const { default: pino } = await import('pino');
  const target = openDestination(options, (loss) => logger.warn(LOST, lossFields(loss)));
  let stream: NodeJS.WritableStream = target;
  if (options.format === 'pretty') {
    const { default: pretty } = await import('pino-pretty');
    stream = pretty({
      destination: target,
      ignore: 'pid,hostname,name',
      messageFormat: '{name}: {msg}',
      singleLine: true,
      sync: true,
    });
    stream = printableStream(stream);
  }
  const logger = wrap(
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
  return logger;
}

/** What others chose steers no terminal and ends no line: only traces have lines. */
function printableStream(target: NodeJS.WritableStream): Writable {
  const replacer = (key: string, value: unknown): unknown => {
    if (typeof value !== 'string') return value;
    return key === 'stack' ? printableLines(value) : printable(value);
  };
  return new Writable({
    decodeStrings: false,
    write(record: string, _, done) {
      // A record is an object of pino's making.
      target.write(`${JSON.stringify(JSON.parse(record), replacer)}\n`);
      done();
    },
  });
}

const LOST = 'lines of this log were lost';

function lossFields({ lines, sinceMs, why }: LogLoss): object {
  return { lost: lines, since: new Date(sinceMs).toISOString(), why };
}

function openDestination(options: LoggerOptions, onBack: (loss: LogLoss) => void): Writable {
  const { file, clock = systemClock, onLost = () => undefined } = options;
  if (file === undefined) {
    const target = options.destination ?? standardError();
    return lossyStream({ target, onLost, onBack, now: () => clock.now() });
  }
  const notice = (loss: LogLoss): string =>
    JSON.stringify({
      level: 'warn',
      time: new Date(clock.now()).toISOString(),
      name: options.name,
      ...lossFields(loss),
      msg: LOST,
    });
  const rotating = openRotatingFile({ ...file, clock, onLost, ...(options.format === 'json' ? { notice } : {}) });
  return fileStream(rotating);
}

function fileStream(file: RotatingFile): Writable {
  return new Writable({
    write(chunk: Buffer, _, done) {
      file.write(chunk);
      done();
    },
  });
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
