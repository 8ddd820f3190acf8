import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Batch, type BatchTools, runBatch } from './batch.ts';
import { makeCertificates } from './certificates.ts';
import { refusedByEnvoy, refusedByOurs } from './check.ts';
import type { Difference } from './compare.ts';
import { type KnownDifferences, type PendingList, readKnown, readPending } from './exceptions.ts';
import { type RecordedOutcomes, readRecorded } from './recorded.ts';
import type { Scenario } from './scenario.ts';

export interface Verdict {
  readonly scenario: Scenario;
  readonly kind: 'equal' | 'known' | 'pending' | 'unexplained';
  /** Those without an explanation. */
  readonly differences: readonly Difference[];
  /** A refused configuration, or an exception without use. */
  readonly message: string | null;
}

export interface Judgement {
  readonly verdicts: readonly Verdict[];
  /** Scenarios that differed once and were equal when they ran again. */
  readonly unsteady: readonly string[];
  /** Entries of the lists of exceptions that explained nothing. */
  readonly unused: readonly string[];
  /** Of our proxy, where it is meant to differ. */
  readonly recorded: RecordedOutcomes;
}

/** Scenarios in one pair of processes. */
const BATCH_SIZE = 250;

/** Runs the scenarios against Envoy and our proxy. */
export async function judge(scenarios: readonly Scenario[], envoy: string): Promise<Judgement> {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-conformance-'));
  try {
    const certificatesFolder = join(folder, 'certs');
    await mkdir(certificatesFolder);
    const tools = { envoy, folder, certificatesFolder, certificates: await makeCertificates(certificatesFolder) };
    return await judgeWith(scenarios, tools);
  } finally {
    if (process.env['FLOTILLA_CONFORMANCE_KEEP'] === undefined) await rm(folder, { recursive: true, force: true });
    else console.error(`kept ${folder}`);
  }
}

async function judgeWith(scenarios: readonly Scenario[], tools: BatchTools): Promise<Judgement> {
  const recorded = await readRecorded();
  const known = await readKnown(join(import.meta.dirname, 'known-differences.yaml'), recorded);
  const pending = await readPending(join(import.meta.dirname, 'pending.yaml'));
  const verdicts: Verdict[] = [];
  const suspects: Scenario[] = [];
  const unsteady: string[] = [];
  const settle = (scenario: Scenario, differences: readonly Difference[], isLast: boolean): void => {
    const verdict = verdictOf(scenario, differences, known, pending);
    if (verdict.kind === 'unexplained' && !isLast) return void suspects.push(scenario);
    if (isLast && verdict.kind !== 'unexplained') unsteady.push(scenario.name);
    verdicts.push(verdict);
  };
  let count = 0;
  for (const batch of batchesOf(scenarios)) {
    const id = `batch${count++}`;
    const refused = await refusedByOurs(batch, id, tools);
    for (const [prefix, message] of refused) {
      const scenario = batch.get(prefix);
      if (scenario !== undefined) verdicts.push(refusal(scenario, message, pending));
    }
    const kept = await withoutRefusedByEnvoy(
      new Map([...batch].filter(([prefix]) => !refused.has(prefix))),
      id,
      tools,
      verdicts,
    );
    if (kept.size === 0) continue;
    const found = await runBatch(kept, id, tools);
    for (const [prefix, scenario] of kept) settle(scenario, found.get(prefix) ?? [], false);
  }
  // Once more by themselves: a difference that load brought about is none of behaviour.
  for (const batch of batchesOf(suspects.splice(0))) {
    const found = await runBatch(batch, `again${count++}`, tools);
    for (const [prefix, scenario] of batch) settle(scenario, found.get(prefix) ?? [], true);
  }
  return { verdicts, unsteady, unused: [...known.unused(), ...pending.unused()], recorded };
}

/** Scenarios together, except for those that want processes of their own. */
function batchesOf(scenarios: readonly Scenario[]): Batch[] {
  const shared = scenarios.filter(({ bootstrap }) => bootstrap === null);
  const own = scenarios.filter(({ bootstrap }) => bootstrap !== null);
  const batches: Batch[] = [];
  const prefixed = (list: readonly Scenario[]): Batch => new Map(list.map((each, index) => [`s${1000 + index}`, each]));
  for (let at = 0; at < shared.length; at += BATCH_SIZE) batches.push(prefixed(shared.slice(at, at + BATCH_SIZE)));
  return [...batches, ...own.map((scenario) => prefixed([scenario]))];
}

async function withoutRefusedByEnvoy(batch: Batch, id: string, tools: BatchTools, verdicts: Verdict[]): Promise<Batch> {
  if (batch.size === 0) return batch;
  const refused = await refusedByEnvoy(batch, id, tools);
  for (const [prefix, message] of refused) {
    const scenario = batch.get(prefix);
    if (scenario === undefined) continue;
    verdicts.push({ scenario, kind: 'unexplained', differences: [], message: `refused by Envoy: ${message}` });
  }
  return new Map([...batch].filter(([prefix]) => !refused.has(prefix)));
}

function refusal(scenario: Scenario, said: string, pending: PendingList): Verdict {
  const kind = pending.explainsRefusal(scenario.name, said) ? 'pending' : 'unexplained';
  return { scenario, kind, differences: [], message: `refused by ours: ${said}` };
}

function verdictOf(
  scenario: Scenario,
  found: readonly Difference[],
  known: KnownDifferences,
  pending: PendingList,
): Verdict {
  const unmeant = found.filter((difference) => !known.explains(scenario.name, difference));
  const differences = unmeant.filter((difference) => !pending.explains(scenario.name, difference));
  const explained = unmeant.length > 0 ? 'pending' : found.length > 0 ? 'known' : 'equal';
  return { scenario, kind: differences.length > 0 ? 'unexplained' : explained, differences, message: null };
}
