/**
 * A proxy for a long time: mixed loads, clients and upstreams without manners, and a configuration that changes every
 * second. Prints what failed, latency, the memory of the proxy and its slope, from the end of the first quarter to the end
 * and in the last quarter alone.
 *
 *   npm run bench -- soak [--minutes 30] [--slow 1000] [--json]
 *
 * In the third quarter that many clients do not read what they asked for (a MiB each). Linux.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePort } from '@flotilla/testing';
import { startScriptedAds } from '../../apps/proxy/src/journeys/scripted-ads.ts';
import { startPinned } from './proxy/pinned.ts';
import { bootstrap, ChangingMesh } from './soak/configuration.ts';
import { openSlowReaders, openSlowWriters, type Outcomes, startLoads } from './soak/load.ts';
import { startBadUpstream, startGoodUpstream } from './soak/upstreams.ts';
import { quantile } from './statistics.ts';

const CHANGE_MS = 1_000;
const SAMPLE_MS = 10_000;

interface Sample {
  readonly seconds: number;
  readonly rssMib: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly hasSlowReaders: boolean;
}

export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      minutes: { type: 'string', default: '30' },
      slow: { type: 'string', default: '1000' },
      json: { type: 'boolean', default: false },
    },
  });
  const root = resolve(import.meta.dirname, '../..');
  execFileSync(process.execPath, [join(root, 'tools/build/bundle.ts')], { stdio: 'ignore' });
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-soak-'));
  const ads = await startScriptedAds();
  const [first, second, bad] = await Promise.all([startGoodUpstream(), startGoodUpstream(), startBadUpstream()]);
  const listener = await freePort();
  const mesh = new ChangingMesh(ads, { listener, good: [first.port, second.port], bad: bad.port });
  const file = join(folder, 'proxy.yaml');
  await writeFile(file, bootstrap(ads.port));
  const proxy = await startPinned(
    0,
    [process.execPath, join(root, 'dist/services/proxy/proxy.mjs'), '-c', file],
    [listener],
  );
  const stop = new AbortController();
  const changes = setInterval(() => mesh.change(), CHANGE_MS);
  const outcomes: Outcomes = { done: 0, failures: new Map(), repeated: 0, times: [] };
  try {
    const loads = startLoads(listener, outcomes, stop.signal);
    const samples = await watch(
      proxy,
      outcomes,
      listener,
      Number(values.minutes) * 60,
      Number(values.slow),
      (sample) => {
        if (values.json) console.log(JSON.stringify(sample));
      },
    );
    stop.abort();
    await loads;
    console.log(report(outcomes, samples, peakMib(proxy.pid)));
  } finally {
    clearInterval(changes);
    await proxy.stop();
    for (const each of [first, second, bad]) each.close();
    await ads.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Samples until the time is over; the slow readers are there in the third quarter. */
async function watch(
  proxy: { rssMib(): number },
  outcomes: Outcomes,
  port: number,
  seconds: number,
  slowReaders: number,
  onSample: (sample: Sample) => void,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const slowWriters = openSlowWriters(port, 50);
  let slow: ReturnType<typeof openSlowReaders> | null = null;
  const startMs = performance.now();
  for (;;) {
    await delay(SAMPLE_MS);
    const elapsed = (performance.now() - startMs) / 1_000;
    const { times } = outcomes;
    outcomes.times = [];
    const sample = {
      seconds: Math.round(elapsed),
      rssMib: Math.round(proxy.rssMib()),
      p50Ms: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
      hasSlowReaders: slow !== null,
    };
    samples.push(sample);
    onSample(sample);
    const isThirdQuarter = elapsed > seconds / 2 && elapsed < (3 * seconds) / 4;
    if (isThirdQuarter && slow === null) slow = openSlowReaders(port, slowReaders);
    if (!isThirdQuarter && slow !== null) {
      for (const socket of slow) socket.destroy();
      slow = null;
    }
    if (elapsed >= seconds) break;
  }
  for (const socket of slowWriters) socket.destroy();
  return samples;
}

function report({ done, failures, repeated }: Outcomes, samples: readonly Sample[], peak: number): string {
  const part = (from: number, to: number) =>
    samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to));
  const plain = samples.filter(({ hasSlowReaders }) => !hasSlowReaders);
  const slow = samples.filter(({ hasSlowReaders }) => hasSlowReaders);
  const p = (of: readonly Sample[], key: 'p50Ms' | 'p99Ms' | 'rssMib') =>
    quantile(
      of.map((each) => each[key]),
      0.5,
    ).toFixed(1);
  const lines = [
    `requests that should succeed: ${done} did, ${[...failures.values()].reduce((sum, count) => sum + count, 0)} did not`,
    `  ${repeated} of them were sent again, on another connection, because theirs was closed`,
    ...[...failures].map(([what, count]) => `  ${count} x ${what}`),
    `latency of small requests, medians of the samples: p50 ${p(plain, 'p50Ms')} ms, p99 ${p(plain, 'p99Ms')} ms`,
    `  with the slow readers: p50 ${p(slow, 'p50Ms')} ms, p99 ${p(slow, 'p99Ms')} ms`,
    `memory: ${p(part(0, 0.25), 'rssMib')} MiB in the first quarter, ${p(slow, 'rssMib')} with the slow readers, ${p(part(0.75, 1), 'rssMib')} in the last; at most ${peak.toFixed(0)}`,
    `slope: ${slope(part(0.25, 1)).toFixed(1)} MiB an hour from the end of the first quarter, ${slope(part(0.75, 1)).toFixed(1)} in the last`,
  ];
  return lines.join('\n');
}

/** Least squares, MiB an hour. */
function slope(samples: readonly Sample[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(samples.map(({ seconds }) => seconds));
  const y = mean(samples.map(({ rssMib }) => rssMib));
  const over = samples.reduce((sum, each) => sum + (each.seconds - x) * (each.rssMib - y), 0);
  const under = samples.reduce((sum, each) => sum + (each.seconds - x) ** 2, 0);
  return (3_600 * over) / under;
}

function peakMib(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}
