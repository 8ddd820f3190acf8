import type { LogLevel } from '@flotilla/observe';
import { FlotillaError } from '@flotilla/runtime';

export interface LogOptions {
  readonly logFormat: string;
  readonly logLevel: string;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Throws `usage` for words that are no format or level. */
export function parseLogOptions(options: LogOptions): { format: 'json' | 'pretty'; level: LogLevel } {
  const level = LEVELS.find((known) => known === options.logLevel);
  if (level === undefined) throw new FlotillaError('usage', `--log-level must be one of ${LEVELS.join(', ')}`);
  if (options.logFormat !== 'json' && options.logFormat !== 'pretty') {
    throw new FlotillaError('usage', '--log-format must be json or pretty');
  }
  return { format: options.logFormat, level };
}
