import { DEFAULT_LOG_BOUNDS, type LogBounds } from '@flotilla/runtime/disk';
import type { SettingsOf } from './read.ts';
import * as settings from './setting.ts';

/** Where a program's log goes, and how much of it is kept. */
export const logFileSettings = {
  logFile: settings.optional(
    settings.path({ description: 'write the log here in place of standard error; it rotates' }),
  ),
  logMaxBytes: settings.integer({
    description: 'size at which a log file is moved aside',
    standard: String(DEFAULT_LOG_BOUNDS.maxBytes),
    min: 64 * 1024,
    max: 2 ** 40,
  }),
  logMaxFiles: settings.integer({
    description: 'log files that are kept, the one that is written among them',
    standard: String(DEFAULT_LOG_BOUNDS.maxFiles),
    min: 1,
    max: 1_000,
  }),
};

type Values = SettingsOf<typeof logFileSettings>;

/** As `createLogger` takes them. */
export function logFileOf(values: Values): { readonly file?: LogBounds & { readonly path: string } } {
  return values.logFile === null ? {} : { file: { path: values.logFile, ...logBoundsOf(values) } };
}

export function logBoundsOf({ logMaxBytes, logMaxFiles }: Omit<Values, 'logFile'>): LogBounds {
  return { maxBytes: logMaxBytes, maxFiles: logMaxFiles };
}
