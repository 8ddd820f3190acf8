import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { quantile } from '../statistics.ts';
import { parseWrk } from '../wrk.ts';
import { OTHER_CORE } from './pinned.ts';

const run = promisify(execFile);

/** What a load saw. */
export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
  readonly errors: number;
  /** Milliseconds; NaN where the load does not say. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function pinned(command: readonly string[]): Promise<string> {
  const { stdout } = await run('taskset', ['-c', String(OTHER_CORE), ...command], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** HTTP/1.1 by wrk on 64 connections that stay, or a new one for each request. */
export async function wrk(url: string, seconds: number, newConnections = false): Promise<LoadResult> {
  const close = newConnections ? ['--header', 'Connection: close'] : [];
  const text = await pinned(['wrk', '-t1', '-c64', `-d${seconds}s`, '--latency', '--timeout', '5s', ...close, url]);
  const { requests, requestsPerSecond: perSecond, errors, p50Ms, p99Ms } = parseWrk(text);
  return { requests, perSecond, errors, p50Ms, p99Ms };
}

/** HTTP/2 by h2load: 16 connections of 8 streams. `body`: a file to post as a gRPC call. */
export async function h2load(url: string, seconds: number, body: string | null): Promise<LoadResult> {
  const grpc = body === null ? [] : ['-d', body, '-H', 'content-type: application/grpc', '-H', 'te: trailers'];
  const text = await pinned(['h2load', '-t1', '-c16', '-m8', `-D${seconds}`, ...grpc, url]);
  return parseH2load(text, Number.NaN, Number.NaN);
}

/** HTTP/1.1 at a fixed pace, with the time of each request. */
export async function paced(url: string, seconds: number, perSecond: number, logFile: string): Promise<LoadResult> {
  const connections = 10;
  rmSync(logFile, { force: true });
  const pace = [`--rps=${perSecond / connections}`, `--log-file=${logFile}`];
  const text = await pinned(['h2load', '--h1', '-t1', `-c${connections}`, '-m1', `-D${seconds}`, ...pace, url]);
  // Begin (us since the epoch), status, duration (us).
  const times = readFileSync(logFile, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, , duration] = line.split('\t');
      return duration === undefined ? [] : [Number(duration) / 1000];
    });
  return parseH2load(text, quantile(times, 0.5), quantile(times, 0.99));
}

function parseH2load(text: string, p50Ms: number, p99Ms: number): LoadResult {
  const [, perSecond = '0'] = /finished in [\d.]+\w+, ([\d.]+) req\/s/.exec(text) ?? [];
  const [, succeeded = '0', failed = '0', errored = '0'] =
    /(\d+) succeeded, (\d+) failed, (\d+) errored/.exec(text) ?? [];
  const [, fine = '0'] = /status codes: (\d+) 2xx/.exec(text) ?? [];
  const errors = Number(failed) + Number(errored) + Math.max(0, Number(succeeded) - Number(fine));
  return { requests: Number(succeeded), perSecond: Number(perSecond), errors, p50Ms, p99Ms };
}
