import { type ApiOptions, openMesh } from './client.ts';
import { readDocuments } from './documents.ts';
import { printOutcomes, printReport } from './outcomes.ts';
import { written } from './written.ts';

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
