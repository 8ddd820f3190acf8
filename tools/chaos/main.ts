/**
 * A mesh under random faults, and requests that go through it all the while; README.md says what is counted as a failure.
 *
 *   npm run chaos -- [--minutes 10] [--seed N] [--rate 200] [--out FOLDER]
 *
 * The plan is printed first; the same seed has the same plan. Ends with 1 when something failed that must not, or an
 * acknowledged write is lost; the journal of failures and what every process wrote are then in the folder. Linux, as root.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findPeer, runAheadOfOthers } from '@flotilla/testing';
import type { RunOptions } from './run.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    rate: { type: 'string', default: '200' },
    out: { type: 'string' },
  },
});
const numberOf = (name: 'minutes' | 'seed' | 'rate', isRight: (number: number) => boolean): number => {
  const number = Number(values[name]);
  if (isRight(number)) return number;
  console.error(
    `--${name} "${values[name]}": --minutes is a number from 1, --seed a whole number, --rate a number above 0`,
  );
  process.exit(2);
};
const minutes = numberOf('minutes', (number) => number >= 1);
const seed = numberOf('seed', Number.isInteger);
const rate = numberOf('rate', (number) => number > 0);
const redis = findPeer('redis-server');
if (redis === null || findPeer('network-namespaces') === null) {
  console.error('needs redis-server, iptables and iproute2, and to be root on Linux');
  process.exit(2);
}
const folder = values.out === undefined ? mkdtempSync(join(tmpdir(), 'flotilla-chaos-')) : resolve(values.out);
mkdirSync(folder, { recursive: true });
const options: RunOptions = {
  seed,
  durationMs: minutes * 60_000,
  requestsPerSecond: rate,
  redis,
  folder,
};
runAheadOfOthers();
// Of its own: ports and firewall, mounts, and processes, none of which outlives it.
const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
const child = spawn(
  'unshare',
  [...namespaces, process.execPath, join(import.meta.dirname, 'inside.ts'), JSON.stringify(options)],
  { stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGKILL'));
child.once('exit', (code) => {
  if (code === 0 && values.out === undefined) rmSync(folder, { recursive: true, force: true });
  else console.log(`what was written is in ${folder}`);
  process.exitCode = code ?? 1;
});
