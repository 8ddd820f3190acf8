import { formatReport, isError, severityOf } from '@flotilla/client';
import { validateDocuments } from '@flotilla/galley';
import type { ValidationReport } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { ExitCode } from '@flotilla/service/process';
import { printLine, printMessage } from '@flotilla/sockets/standard-streams';
import { type ApiOptions, openMesh } from './client.ts';
import { readDocuments, type YamlDocument } from './documents.ts';

export interface ValidateOptions extends ApiOptions {
  readonly file: readonly string[];
  readonly namespace?: string;
  readonly withMesh?: boolean;
  readonly output?: string;
}

/** `flotilla validate`: exit code 1 when there is an error. Needs no mesh unless `--with-mesh` or `--api` asks for one. */
export async function validate(options: ValidateOptions): Promise<void> {
  const documents = await readDocuments(options.file);
  const report =
    options.withMesh === true || options.api !== undefined
      ? await validateWithMesh(documents, options)
      : validateDocuments(documents, { defaultNamespace: options.namespace ?? 'default' });
  const errors = report.findings.filter(isError).length;
  if (errors > 0) process.exitCode = ExitCode.no;
  if (options.output === 'json') {
    printLine(JSON.stringify({ valid: errors === 0, findings: report.findings.map(toPlain), ignored: report.ignored }));
    return;
  }
  for (const line of formatReport(report)) printMessage(line);
  printLine(errors === 0 ? 'valid' : `${errors} error${errors === 1 ? '' : 's'}`);
}

async function validateWithMesh(
  documents: readonly YamlDocument[],
  options: ValidateOptions,
): Promise<ValidationReport> {
  const response = await openMesh(options).galley.validate({
    documents: [...documents],
    defaultNamespace: options.namespace ?? '',
  });
  if (response.report === undefined) throw new Error('galley answered without a report');
  return response.report;
}

function toPlain(finding: ValidationReport['findings'][number]): object {
  const { code, field, message, hint, origin } = finding;
  return {
    severity: severityOf(finding),
    code,
    field,
    message,
    hint,
    source: origin?.source,
    line: origin?.line,
    column: origin?.column,
  };
}
