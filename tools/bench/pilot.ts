/**
 * Our pilot beside istiod: each alone on one core; configuration and the proxies, which are delta streams, on the other.
 * Both have the same services, rules and debounce, and alternate within a round; figures are medians, ratios are ours to
 * istiod's (below 1: ours is less).
 *
 *   npm run bench -- pilot [--services 200,1000] [--proxies 50,200] [--rounds 1] [--changes 5] [--debounce-ms 100]
 *                          [--only flotilla|istiod] [--profile <folder>] [--json]
 *
 * Linux with taskset; istiod's `pilot-discovery` in ~/go/bin or named in FLOTILLA_ISTIOD. Its configuration comes from a
 * stub of Kubernetes' API server, ours from one of galley. "synced": a proxy holds all clusters, their endpoints, all listeners
 * and their routes. A change is over when the last proxy has acknowledged it. At the end, where several sizes were
 * measured: how much a figure grows while the services do. `--profile` writes a CPU profile of our pilot.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findPeer } from '@flotilla/testing';
import { LINES, type Line, type Measured, measure } from './pilot/measure.ts';
import { PEER_NAMES, type PeerName, startPeer } from './pilot/peers.ts';
import { resourcesOf } from './pilot/world.ts';
import { OTHER_CORE } from './proxy/pinned.ts';
import { formatTable, median } from './statistics.ts';

interface Size {
  readonly services: number;
  readonly proxies: number;
}

type Figures = Readonly<Record<PeerName, readonly Measured[]>>;

export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      services: { type: 'string', default: '200,1000' },
      proxies: { type: 'string', default: '50,200' },
      rounds: { type: 'string', default: '1' },
      changes: { type: 'string', default: '5' },
      'debounce-ms': { type: 'string', default: '100' },
      only: { type: 'string' },
      profile: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const istiod = findPeer('istiod');
  if (istiod === null && values.only !== 'flotilla') throw new Error('needs istiod: see the head of this benchmark');
  execFileSync('taskset', ['-a', '-c', '-p', String(OTHER_CORE), String(process.pid)], { stdio: 'ignore' });
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-bench-pilot-'));
  const table: { readonly size: Size; readonly figures: Figures }[] = [];
  try {
    for (const size of sizesOf(values.services, values.proxies)) {
      const figures = { flotilla: [] as Measured[], istiod: [] as Measured[] };
      for (let round = 0; round < Number(values.rounds); round++) {
        for (const name of PEER_NAMES) {
          if (values.only !== undefined && values.only !== name) continue;
          const peer = await startPeer(name, resourcesOf(size.services), {
            folder,
            debounceMs: Number(values['debounce-ms']),
            istiod: istiod ?? '',
            profile: values.profile ?? null,
          });
          try {
            figures[name].push(await measure(peer, { ...size, changes: Number(values.changes) }));
          } finally {
            await peer.stop();
          }
          await delay(500); // its connections end
        }
      }
      table.push({ size, figures });
      if (values.json) reportJson(size, figures);
      else console.log(sizeTable(size, figures));
    }
    if (!values.json) console.log(growthTable(table));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function sizesOf(services: string, proxies: string): Size[] {
  const numbers = (text: string) => text.split(',').map(Number);
  return numbers(services).flatMap((some) => numbers(proxies).map((each) => ({ services: some, proxies: each })));
}

const figureOf = (line: Line, measured: readonly Measured[]): number =>
  median(measured.map((each) => each[line]).filter((value) => !Number.isNaN(value)));

function sizeTable({ services, proxies }: Size, { flotilla, istiod }: Figures): string {
  return formatTable([
    [`S ${services}, N ${proxies}`, 'flotilla', 'istiod', 'ratio'],
    ...LINES.map((line) => {
      const [ours, theirs] = [figureOf(line, flotilla), figureOf(line, istiod)];
      return [line, format(ours), format(theirs), format(ours / theirs)];
    }),
  ]);
}

/** From the smallest mesh to the largest, for each number of proxies; beside it the growth of the services. */
function growthTable(table: readonly { readonly size: Size; readonly figures: Figures }[]): string {
  return [...new Set(table.map(({ size }) => size.proxies))]
    .flatMap((proxies) => {
      const same = table.filter(({ size }) => size.proxies === proxies);
      const [first, last] = [same[0], same.at(-1)];
      if (first === undefined || last === undefined || first === last) return [];
      const growth = (line: Line, peer: PeerName) =>
        format(figureOf(line, last.figures[peer]) / figureOf(line, first.figures[peer]));
      const services = `S ${first.size.services} to ${last.size.services} (x${last.size.services / first.size.services})`;
      return formatTable([
        [`growth, N ${proxies}, ${services}`, 'flotilla', 'istiod'],
        ...LINES.map((line) => [line, growth(line, 'flotilla'), growth(line, 'istiod')]),
      ]);
    })
    .join('\n');
}

function reportJson(size: Size, figures: Figures): void {
  for (const peer of PEER_NAMES) {
    for (const line of LINES) {
      console.log(JSON.stringify({ bench: 'pilot', ...size, peer, line, value: figureOf(line, figures[peer]) }));
    }
  }
}

function format(value: number): string {
  if (Number.isNaN(value)) return '-';
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
