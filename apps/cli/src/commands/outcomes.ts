import { formatReport } from '@flotilla/client';
import { printable } from '@flotilla/runtime';
import { printLine, printMessage } from '@flotilla/sockets/standard-streams';
import {
  AppliedResource_Outcome,
  type AppliedResource,
  type ValidationReport,
} from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';

const OUTCOME_WORDS: Readonly<Record<AppliedResource_Outcome, string>> = {
  [AppliedResource_Outcome.UNSPECIFIED]: 'unknown',
  [AppliedResource_Outcome.CREATED]: 'created',
  [AppliedResource_Outcome.CONFIGURED]: 'configured',
  [AppliedResource_Outcome.UNCHANGED]: 'unchanged',
  [AppliedResource_Outcome.DELETED]: 'deleted',
};

/** What is wrong with the documents, a line each, beside the output. */
export function printReport(report: ValidationReport | undefined): void {
  for (const line of report === undefined ? [] : formatReport(report)) printMessage(line);
}

/** What became of each resource; as JSON with the version that came of it. */
export function printOutcomes(
  version: bigint,
  resources: readonly AppliedResource[],
  output: string | undefined,
): void {
  const rows = resources.map(({ key, outcome }) => ({
    kind: key?.kind ?? '',
    namespace: key?.namespace ?? '',
    name: key?.name ?? '',
    outcome: OUTCOME_WORDS[outcome],
  }));
  if (output === 'json') {
    printLine(JSON.stringify({ version: Number(version), resources: rows }));
    return;
  }
  for (const { kind, namespace, name, outcome } of rows) {
    printLine(
      printable(
        `${kind.toLowerCase()}/${name}${namespace === 'default' || namespace === '' ? '' : ` (${namespace})`} ${outcome}`,
      ),
    );
  }
}
