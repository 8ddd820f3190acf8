import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';

export const kubernetesFolder = resolve(import.meta.dirname, '../../../deploy/kubernetes');

/** A resource as YAML has it; `strictFaults` says whether it is one. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** `kustomize build` of a folder below deploy/kubernetes. `program` is kustomize, or kubectl, which has it built in. */
export function render(program: string, folder: string): Manifest[] {
  const args = basename(program).startsWith('kubectl') ? ['kustomize'] : ['build'];
  const text = execFileSync(program, [...args, folder], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return parseManifests(text);
}

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    // A fault of syntax would be an object without these; the checks say so by name.
    return document.toJS() as Manifest;
  });
}

/** Renders the Secrets and roots from files that stand in for those that `flotilla secrets` makes. */
export function renderSecrets(program: string): Manifest[] {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-secrets-'));
  try {
    const kustomization = join(kubernetesFolder, 'secrets/kustomization.yaml');
    cpSync(kustomization, join(folder, 'kustomization.yaml'));
    for (const [, list = ''] of readFileSync(kustomization, 'utf8').matchAll(/files: \[(.*)\]/g)) {
      for (const item of list.split(',')) {
        const path = join(folder, item.slice(item.indexOf('=') + 1).trim());
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, 'stands in\n');
      }
    }
    return render(program, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Every YAML file below deploy/kubernetes, and those that some kustomization names, by path. */
export function filesAndNamed(): { readonly files: string[]; readonly named: Set<string> } {
  const named = new Set<string>();
  for (const path of globSync(join(kubernetesFolder, '*/kustomization.yaml'))) {
    named.add(path);
    const lists = JSON.stringify(parseAllDocuments(readFileSync(path, 'utf8')).map((document) => document.toJS()));
    for (const [, name = ''] of lists.matchAll(/"([^"]+\.yaml)"/g)) named.add(join(dirname(path), name));
  }
  return { files: globSync(join(kubernetesFolder, '**/*.yaml')), named };
}
