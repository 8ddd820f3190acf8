import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface WrkTarget {
  /** Where wrk connects. */
  readonly url: string;
  /** What it asks for, in absolute form for a forward proxy. */
  readonly path: string;
  readonly authority: string;
}

export interface WrkResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Connections and answers that failed. */
  readonly errors: number;
}

/** Command of one run of wrk on one thread. Writes its script into the directory. */
export function wrkCommand(
  target: WrkTarget,
  load: { readonly connections: number; readonly seconds: number; readonly newConnections: boolean },
  directory: string,
): string[] {
  const script = join(directory, `${target.authority}.lua`);
  // The path of a URL cannot hold a second URL, which a forward proxy is given.
  writeFileSync(script, `request = function() return wrk.format("GET", ${JSON.stringify(target.path)}) end\n`);
  return [
    ...['wrk', '--threads', '1', '--connections', String(load.connections), '--duration', `${load.seconds}s`],
    ...['--latency', '--timeout', '5s', '--script', script, '--header', `Host: ${target.authority}`],
    ...(load.newConnections ? ['--header', 'Connection: close'] : []),
    target.url,
  ];
}

const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000 };

/** Reads what wrk printed. Throws when it is no report. */
export function parseWrk(text: string): WrkResult {
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text)?.[1];
  if (rate === undefined) throw new Error(`wrk gave no report:\n${text}`);
  const percentile = (name: string): number => {
    const [, value = '', unit = ''] = new RegExp(`${name}%\\s+([\\d.]+)(us|ms|s)`).exec(text) ?? [];
    return Number(value) * (UNITS[unit] ?? Number.NaN);
  };
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const statuses = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? '0';
  return {
    requests: Number(/(\d+) requests in /.exec(text)?.[1] ?? 0),
    requestsPerSecond: Number(rate),
    p50Ms: percentile('50'),
    p99Ms: percentile('99'),
    errors: [...sockets, statuses].reduce((sum, count) => sum + Number(count), 0),
  };
}
