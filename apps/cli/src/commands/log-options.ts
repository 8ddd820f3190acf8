import type { LogLevel } from '@flotilla/observe';

/** Options of every command that logs; the command line takes no other words. */
export interface LogOptions {
  readonly logFormat: 'json' | 'pretty';
  readonly logLevel: LogLevel;
}

/** As `createLogger` takes them. */
export function loggerOptions({ logFormat, logLevel }: LogOptions): { format: 'json' | 'pretty'; level: LogLevel } {
  return { format: logFormat, level: logLevel };
}
