import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Certificates } from './certificates.ts';
import { runClient } from './client.ts';
import { compareOutcomes, type Difference, type Outcome } from './compare.ts';
import { composeBootstrap, type Composed, composeScenario, fillFor, listens, type Places } from './compose.ts';
import { type Incidentals, normalise } from './normalise.ts';
import type { Scenario } from './scenario.ts';
import type { Fields } from './values.ts';
import { realName, statisticsOf } from './statistics.ts';
import { startEnvoy, startOurs, type Subject } from './subject.ts';
import { openUpstream } from './upstream.ts';
import type { Upstream } from './upstream-server.ts';

export interface BatchTools {
  readonly envoy: string;
  /** For bootstraps and logs. */
  readonly folder: string;
  readonly certificatesFolder: string;
  readonly certificates: Certificates;
}

/** The scenarios that one process of each proxy can run together, by their prefixes. */
export type Batch = ReadonlyMap<string, Scenario>;

/** One scenario's part in one proxy. */
interface Side {
  readonly scenario: Scenario;
  readonly places: Places;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  client: readonly string[];
}

interface Half {
  readonly subject: Subject;
  readonly logFile: string;
  readonly sides: ReadonlyMap<string, Side>;
}

/** Clients at work at one time. */
const CONCURRENCY = 12;
/** How long what comes after the last answer may take: log lines, counters, mirrored requests. */
const SETTLE_MS = 2_500;

/** Runs the scenarios against both proxies and gives back where they differ, by prefix. */
export async function runBatch(
  batch: Batch,
  id: string,
  tools: BatchTools,
): Promise<ReadonlyMap<string, Difference[]>> {
  const halves: Half[] = [];
  try {
    for (const name of ['envoy', 'ours'] as const) halves.push(await openHalf(name, batch, id, tools));
    const [envoy, ours] = halves;
    if (envoy === undefined || ours === undefined) throw new Error('a half is missing');
    await eachOf([...batch.keys()], async (prefix) => {
      await Promise.all(halves.map((half) => runSide(half, prefix, tools)));
    });
    const deadline = Date.now() + SETTLE_MS;
    for (;;) {
      const [theirs, own] = [await outcomesOf(envoy), await outcomesOf(ours)];
      const differences = new Map([...batch.keys()].map((prefix) => [prefix, compare(prefix, theirs, own)]));
      const areEqual = [...differences.values()].every((each) => each.length === 0);
      if (areEqual || Date.now() > deadline) return differences;
      await delay(60); // polls files and processes that cannot call back
    }
  } finally {
    await Promise.all(halves.map(closeHalf));
  }
}

function compare(prefix: string, theirs: Outcomes, own: Outcomes): Difference[] {
  const [left, right] = [theirs.get(prefix), own.get(prefix)];
  return left === undefined || right === undefined ? [] : compareOutcomes(left, right);
}

async function openHalf(name: Subject['name'], batch: Batch, id: string, tools: BatchTools): Promise<Half> {
  const logFile = join(tools.folder, `${id}-${name}.log`);
  const opened = await Promise.all(
    [...batch].map(async ([prefix, scenario]): Promise<[string, Side]> => {
      const upstreams = await openUpstreams(scenario, tools.certificates);
      const ports = new Map([...upstreams].map(([each, { port }]) => [each, port]));
      const places = { prefix, ports, logFile, certificates: tools.certificatesFolder };
      return [prefix, { scenario, places, upstreams, client: [] }];
    }),
  );
  const sides = new Map(opened);
  const composed = opened.map(([, { scenario, places }]) => composeScenario(scenario, places));
  const file = join(tools.folder, `${id}-${name}.json`);
  await writeFile(file, JSON.stringify(composeBootstrap(composed, bootstrapOf(batch)), null, 1));
  try {
    const subject = name === 'envoy' ? await startEnvoy(tools.envoy, file) : await startOurs(file);
    return { subject, logFile, sides };
  } catch (error) {
    await Promise.all(opened.map(([, side]) => closeSide(side)));
    throw error;
  }
}

/** What a scenario with processes of its own adds to the bootstrap. */
function bootstrapOf(batch: Batch): Fields {
  const [first] = batch.values();
  return first?.bootstrap ?? {};
}

/** The configuration of one scenario, to be checked before anything runs. */
export function composeForCheck(prefix: string, scenario: Scenario, certificates: string): Composed {
  const names = Object.entries(scenario.upstreams).filter(([, script]) => listens(script));
  const ports = new Map(names.map(([name], index) => [name, 10_000 + index]));
  return composeScenario(scenario, { prefix, ports, logFile: '/dev/null', certificates });
}

async function openUpstreams(scenario: Scenario, certificates: Certificates): Promise<ReadonlyMap<string, Upstream>> {
  const scripts = Object.entries(scenario.upstreams).filter(([, script]) => listens(script));
  const opened = await Promise.all(scripts.map(([name, script]) => openUpstream(name, script, certificates)));
  return new Map(opened.map((upstream) => [upstream.name, upstream]));
}

async function runSide(half: Half, prefix: string, tools: BatchTools): Promise<void> {
  const side = half.sides.get(prefix);
  if (side === undefined) return;
  try {
    side.client = await runClient(side.scenario, {
      port: half.subject.ports.get(prefix) ?? 0,
      certificates: tools.certificates,
      upstreams: side.upstreams,
      fill: fillFor(side.scenario, side.places),
      stat: async (name) => (await half.subject.stats()).get(realName(name, prefix)) ?? 0,
    });
  } catch (error) {
    side.client = [`[${half.subject.name}] ${error instanceof Error ? error.message : String(error)}`];
  }
}

type Outcomes = ReadonlyMap<string, Outcome>;

async function outcomesOf({ subject, logFile, sides }: Half): Promise<Outcomes> {
  const log = await linesByPrefix(logFile);
  const stats = subject.hasEnded() ? new Map<string, number>() : await subject.stats();
  return new Map(
    [...sides].map(([prefix, { scenario, places, upstreams, client }]): [string, Outcome] => {
      const run: Incidentals = {
        prefix,
        listenerPort: subject.ports.get(prefix) ?? 0,
        upstreamPorts: places.ports,
        exactClose: scenario.exactClose,
      };
      const clean = (texts: readonly string[]): string[] => texts.map((text) => normalise(text, run));
      const names = statisticsOf(scenario, prefix);
      const outcome: Outcome = {
        client: subject.hasEnded() ? [`[${subject.name} ended] ${subject.output()}`] : clean(client),
        upstreams: scenario.comparesUpstreams ? seenBy(upstreams, scenario.hostsAlike, clean) : new Map(),
        log: clean(log.get(prefix) ?? []),
        stats: new Map([...names].map(([name, real]) => [name, stats.get(real) ?? 0])),
      };
      return [prefix, outcome];
    }),
  );
}

function seenBy(
  upstreams: ReadonlyMap<string, Upstream>,
  areAlike: boolean,
  clean: (texts: readonly string[]) => string[],
): ReadonlyMap<string, readonly string[]> {
  const seen = [...upstreams].map(([name, upstream]): [string, string[]] => [name, clean(upstream.seen())]);
  return new Map(areAlike ? [['any', seen.flatMap(([, texts]) => texts)]] : seen);
}

/** Log lines by the mark that each carries. */
async function linesByPrefix(file: string): Promise<ReadonlyMap<string, string[]>> {
  const lines = new Map<string, string[]>();
  for (const line of (await readFile(file, 'latin1').catch(() => '')).split('\n')) {
    const prefix = /@(s\d+)@/.exec(line)?.[1];
    if (prefix === undefined) continue;
    const known = lines.get(prefix);
    if (known === undefined) lines.set(prefix, [line]);
    else known.push(line);
  }
  return lines;
}

async function closeHalf({ subject, sides }: Half): Promise<void> {
  await Promise.all([...sides.values()].map(closeSide));
  await subject.close();
}

async function closeSide({ upstreams }: Side): Promise<void> {
  await Promise.all([...upstreams.values()].map((upstream) => upstream.close()));
}

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items].reverse();
  const worker = async (): Promise<void> => {
    for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}
