import { parseArgs } from 'node:util';
import type { LogLevel } from '@flotilla/observe';
import { FlotillaError } from '@flotilla/runtime';
import { untilParentExits } from './exit-with-parent.ts';
import { runProxy } from './run-proxy.ts';

// The data plane as a program of its own, for images that hold nothing else: the options of `flotilla proxy`.

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      'config-path': { type: 'string', short: 'c' },
      mode: { type: 'string', default: 'serve' },
      concurrency: { type: 'string', default: '1' },
      'log-level': { type: 'string', short: 'l', default: 'info' },
      'log-format': { type: 'string', default: 'json' },
      'drain-time-s': { type: 'string', default: '5' },
      'exit-with-parent': { type: 'boolean', default: false },
    },
  });
  const configPath = values['config-path'];
  if (configPath === undefined) throw new FlotillaError('usage', '--config-path is needed');
  const logLevel = LEVELS.find((level) => level === values['log-level']);
  if (logLevel === undefined) throw new FlotillaError('usage', `--log-level must be one of ${LEVELS.join(', ')}`);
  if (values.mode !== 'serve' && values.mode !== 'validate') {
    throw new FlotillaError('usage', '--mode must be serve or validate');
  }
  const concurrency = Number(values.concurrency);
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new FlotillaError('usage', '--concurrency must be a number of processes');
  }
  return runProxy({
    configPath,
    mode: values.mode,
    concurrency,
    logLevel,
    logFormat: values['log-format'] === 'pretty' ? 'pretty' : 'json',
    drainMs: Number(values['drain-time-s']) * 1_000,
    until: Promise.race([untilSignal(), ...(values['exit-with-parent'] ? [untilParentExits()] : [])]),
  });
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
}

const EXIT_CODES: Readonly<Record<string, number>> = { usage: 2, unavailable: 3 };

try {
  process.exit(await main());
} catch (error) {
  const failure = FlotillaError.from(error, 'usage');
  console.error(`proxy: ${failure.describe()}`);
  process.exit(EXIT_CODES[failure.code] ?? 1);
}
