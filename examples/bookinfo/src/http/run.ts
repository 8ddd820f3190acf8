import process from 'node:process';
import type { ListenAddress, RunningService } from './service.ts';

const DEFAULT_PORT = 9080;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/**
 * Runs one service as this process: the port is the first argument, else `$PORT`, else 9080; the host is `$HOST`, else
 * 127.0.0.1. Prints one JSON line once it listens. SIGTERM and SIGINT stop it gracefully with exit code 0; a second one
 * ends it at once. An address that cannot be had is one line on stderr and exit code 1.
 */
export async function runService(
  name: string,
  start: (address: ListenAddress) => Promise<RunningService>,
): Promise<void> {
  const host = process.env['HOST'] || '127.0.0.1';
  const portText = process.argv[2] ?? (process.env['PORT'] || String(DEFAULT_PORT));
  const port = Number(portText);
  if (!/^\d+$/.test(portText) || port > 65_535) {
    fail(`${name}: "${portText}" is not a port; give a number from 0 to 65535`, EXIT_USAGE);
    return;
  }
  try {
    const service = await start({ host, port });
    const stop = (): void => void service.close();
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    console.log(JSON.stringify({ service: service.name, listening: service.url, pid: process.pid }));
  } catch (error) {
    fail(`${name}: ${explain(error, host, port)}`, EXIT_FAILED);
  }
}

function explain(error: unknown, host: string, port: number): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `port ${port} on ${host} is in use; give another as the first argument or in $PORT`;
  return `cannot listen on ${host} port ${port}: ${error instanceof Error ? error.message : String(error)}`;
}

function fail(message: string, exitCode: number): void {
  console.error(message);
  process.exitCode = exitCode;
}
