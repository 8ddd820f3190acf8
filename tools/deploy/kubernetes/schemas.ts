import { join, resolve } from 'node:path';
import ts from 'typescript';
import type { Manifest } from './render.ts';

const root = resolve(import.meta.dirname, '../../..');
const FILE = join(root, 'tools/deploy/kubernetes/rendered-manifests.ts');

interface Model {
  validate(): void;
}

/**
 * What Kubernetes' published schemas (the package `kubernetes-models`) find wrong with manifests. Its validators know
 * formats, ranges and required fields, but pass over fields that do not exist; its types know those. So both are asked.
 */
export async function strictFaults(manifests: readonly Manifest[]): Promise<string[]> {
  const faults: string[] = [];
  for (const manifest of manifests) faults.push(...(await faultsOfValues(manifest)));
  return faults.length > 0 ? faults : faultsOfFields(manifests);
}

function modulePath({ apiVersion, kind }: Manifest): string {
  return `kubernetes-models/${apiVersion}/${kind}`;
}

function nameOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.name}`;
}

async function faultsOfValues(manifest: Manifest): Promise<string[]> {
  try {
    // The package's own convention: a module for each kind, exporting a class by its name.
    const module = (await import(modulePath(manifest))) as Record<string, new (value: object) => Model>;
    const Kind = module[manifest.kind];
    if (Kind === undefined) return [`${nameOf(manifest)}: no kind of ${manifest.apiVersion}`];
    new Kind(manifest).validate();
    return [];
  } catch (error) {
    return [`${nameOf(manifest)}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** Type-checks the manifests as literals of their types: a field too many in a literal is an error. */
function faultsOfFields(manifests: readonly Manifest[]): string[] {
  const lines = manifests.flatMap((manifest, at) => [
    `import type { I${manifest.kind} as T${at} } from '${modulePath(manifest)}';`,
    `export const m${at}: T${at} = ${JSON.stringify(manifest)};`,
  ]);
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2024,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  const source = ts.createSourceFile(FILE, lines.join('\n'), ts.ScriptTarget.ES2024, true);
  host.getSourceFile = (path, ...rest) => (path === FILE ? source : getSourceFile(path, ...rest));
  host.fileExists = (path) => path === FILE || fileExists(path);
  const program = ts.createProgram([FILE], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ start = 0, messageText }) => {
    const manifest = manifests[Math.floor(source.getLineAndCharacterOfPosition(start).line / 2)];
    const text = ts.flattenDiagnosticMessageText(messageText, ' ');
    return `${manifest === undefined ? 'manifests' : nameOf(manifest)}: ${text}`;
  });
}
