import { runProxy } from '@flotilla/proxy';
import { FlotillaError } from '@flotilla/runtime';
import { type LogOptions, loggerOptions } from './log-options.ts';
import { allowsPlaintext } from './option-values.ts';
import { untilSignal } from '@flotilla/service/process';

export interface ProxyCommandOptions extends LogOptions {
  readonly configPath: string;
  readonly mode: 'serve' | 'validate';
  readonly concurrency: string;
  readonly httpHosts?: readonly string[];
  readonly allowPlaintext?: boolean;
}

/** `flotilla proxy`: the data plane from an Envoy bootstrap file, or a check of the file. */
export async function proxy(options: ProxyCommandOptions): Promise<void> {
  const concurrency = Number(options.concurrency);
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 1024) {
    throw new FlotillaError('usage', `--concurrency must be a whole number from 1 to 1024, not ${options.concurrency}`);
  }
  const { level, format } = loggerOptions(options);
  process.exitCode = await runProxy({
    configPath: options.configPath,
    mode: options.mode,
    concurrency,
    httpHosts: options.httpHosts ?? [],
    allowPlaintext: allowsPlaintext(options),
    logLevel: level,
    logFormat: format,
    until: untilSignal(),
  });
}
