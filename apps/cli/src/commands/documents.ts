import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { FlotillaError } from '@flotilla/runtime';

export interface YamlDocument {
  /** The path as the user wrote it, for messages. */
  readonly source: string;
  readonly yaml: string;
}

/** Reads what `-f` names: files, directories (`*.yaml`, `*.yml`, `*.json`, not recursive), or `-` for standard input. */
export async function readDocuments(paths: readonly string[]): Promise<YamlDocument[]> {
  const documents: YamlDocument[] = [];
  for (const path of paths) {
    if (path === '-') {
      documents.push({ source: 'stdin', yaml: await text(process.stdin) });
      continue;
    }
    for (const file of await filesOf(path)) documents.push({ source: file, yaml: await readFile(file, 'utf8') });
  }
  return documents;
}

async function filesOf(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path);
    return names
      .filter((name) => /\.(ya?ml|json)$/.test(name))
      .sort()
      .map((name) => join(path, name));
  } catch (error) {
    throw new FlotillaError('invalid', `cannot read ${path}: ${FlotillaError.from(error).message}`, { cause: error });
  }
}
