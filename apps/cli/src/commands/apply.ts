import { formatReport } from '@flotilla/client';
import {
  AppliedResource_Outcome,
  type AppliedResource,
  type ValidationReport,
} from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { printable } from '@flotilla/runtime';
import { printLine, printMessage } from '@flotilla/sockets/standard-streams';
import { type ApiOptions, openMesh } from './client.ts';
import { readDocuments } from './documents.ts';
import { written } from './written.ts';

export interface ApplyOptions extends ApiOptions {
  readonly file: readonly string[];
  readonly namespace?: string;
  readonly force?: boolean;
  readonly wait?: boolean;
  readonly output?: string;
}

const OUTCOME_WORDS: Readonly<Record<AppliedResource_Outcome, string>> = {
  [AppliedResource_Outcome.UNSPECIFIED]: 'unknown',
  [AppliedResource_Outcome.CREATED]: 'created',
  [AppliedResource_Outcome.CONFIGURED]: 'configured',
  [AppliedResource_Outcome.UNCHANGED]: 'unchanged',
  [AppliedResource_Outcome.DELETED]: 'deleted',
};

/** `flotilla apply`: all documents as one version, or none of them. */
export async function apply(options: ApplyOptions): Promise<void> {
  const documents = await readDocuments(options.file);
  const mesh = openMesh(options);
  const response = await written((call) =>
    mesh.galley.apply(
      {
        documents,
        defaultNamespace: options.namespace ?? '',
        force: options.force === true,
      },
      call,
    ),
  );
  printReport(response.report);
  if (options.wait === true) await mesh.waitForSync(response.version);
  printOutcomes(response.version, response.resources, options.output);
}

export interface DeleteOptions extends ApiOptions {
  readonly file: readonly string[];
  readonly namespace?: string;
  readonly ignoreNotFound?: boolean;
  readonly force?: boolean;
  readonly wait?: boolean;
  readonly output?: string;
}

/** `flotilla delete`: the resources that the documents name. */
export async function deleteResources(options: DeleteOptions): Promise<void> {
  const documents = await readDocuments(options.file);
  const mesh = openMesh(options);
  const response = await written((call) =>
    mesh.galley.delete(
      {
        documents,
        defaultNamespace: options.namespace ?? '',
        ignoreMissing: options.ignoreNotFound === true,
        force: options.force === true,
      },
      call,
    ),
  );
  printReport(response.report);
  if (options.wait === true) await mesh.waitForSync(response.version);
  printOutcomes(response.version, response.resources, options.output);
}

function printReport(report: ValidationReport | undefined): void {
  for (const line of report === undefined ? [] : formatReport(report)) printMessage(line);
}

function printOutcomes(version: bigint, resources: readonly AppliedResource[], output: string | undefined): void {
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
