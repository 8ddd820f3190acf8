import { type ApiOptions, openMesh } from './client.ts';
import { readDocuments } from './documents.ts';
import { printOutcomes, printReport } from './outcomes.ts';
import { written } from './written.ts';

export interface ApplyOptions extends ApiOptions {
  readonly file: readonly string[];
  readonly namespace?: string;
  readonly force?: boolean;
  readonly wait?: boolean;
  readonly output?: string;
}

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
