import { yamlOf } from './random/families.ts';
import { showDifference } from './compare.ts';
import type { Judgement, Verdict } from './judge.ts';

const KINDS = ['equal', 'known', 'pending', 'unexplained'] as const;

/** The judgement for people: counts by subject, then everything that is not explained. */
export function showJudgement({ verdicts, unsteady, unused }: Judgement): string {
  const subjects = Map.groupBy(verdicts, ({ scenario }) => scenario.name.slice(0, scenario.name.indexOf('/')));
  const lines = [...subjects].sort().map(([subject, list]) => {
    const counts = KINDS.map((kind) => [kind, list.filter((each) => each.kind === kind).length] as const);
    return `${subject.padEnd(24)} ${counts
      .filter(([, count]) => count > 0)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', ')}`;
  });
  for (const verdict of verdicts) if (verdict.kind === 'unexplained') lines.push('', showVerdict(verdict));
  if (unsteady.length > 0) lines.push('', `equal only when run again: ${unsteady.join(', ')}`);
  for (const entry of unused) lines.push('', `exception without use: ${entry}`);
  const count = (kind: Verdict['kind']): number => verdicts.filter((each) => each.kind === kind).length;
  const pending = count('pending') === 0 ? '' : `, ${count('pending')} pending`;
  lines.push(
    '',
    `${verdicts.length} scenarios: ${count('equal')} equal, ${count('known')} known different${pending}, ${count('unexplained')} unexplained`,
  );
  return lines.join('\n');
}

/** What is wrong with one scenario. */
export function showVerdict({ scenario, differences, message }: Verdict): string {
  return [
    `${scenario.name} (- envoy, + ours)`,
    ...(message === null ? [] : [`  ${message}`]),
    ...differences.map(showDifference),
    ...scenarioFile(scenario.name),
  ].join('\n');
}

/** A generated scenario as a file, to be kept. */
function scenarioFile(name: string): string[] {
  const yaml = yamlOf(name);
  return yaml === null
    ? []
    : [
        '  as a file:',
        ...yaml
          .trimEnd()
          .split('\n')
          .map((line) => `    ${line}`),
      ];
}
