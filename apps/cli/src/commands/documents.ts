import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { DEFAULT_YAML_LIMITS } from '@flotilla/model';
import { FlotillaError, limit } from '@flotilla/runtime';

export interface YamlDocument {
  /** Absolute path of the file, or `stdin`: kept with the resources, so it must hold in any directory. */
  readonly source: string;
  readonly yaml: string;
}

// One call of the API carries all documents of a command.
const MAX_CALL_BYTES = limit({
  name: 'cli.call-bytes',
  what: 'all documents of one command',
  default: 15 * 1024 * 1024,
  unit: 'bytes',
  past: 'the command refuses, before it sends anything',
});

/**
 * Reads what `-f` names: files, directories (`*.yaml`, `*.yml`, `*.json`, not recursive), or `-` for standard input.
 * Throws `invalid` for what cannot be read, is not there, or is larger than the mesh takes.
 */
export async function readDocuments(paths: readonly string[]): Promise<YamlDocument[]> {
  const documents: YamlDocument[] = [];
  for (const path of paths) {
    if (path === '-') {
      documents.push({ source: 'stdin', yaml: await text(process.stdin) });
      continue;
    }
    for (const file of await filesOf(path)) {
      documents.push({ source: resolve(file), yaml: await reading(file, () => readFile(file, 'utf8')) });
    }
  }
  checkSizes(documents);
  return documents;
}

async function filesOf(path: string): Promise<string[]> {
  const names = await reading(path, async () => ((await stat(path)).isDirectory() ? readdir(path) : null));
  if (names === null) return [path];
  const files = names.filter((name) => /\.(ya?ml|json)$/.test(name)).sort();
  if (files.length === 0) throw new FlotillaError('invalid', `there is no .yaml, .yml or .json file in ${path}`);
  return files.map((name) => join(path, name));
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ENOTDIR: 'a part of the path is not a directory',
};

async function reading<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException; // what node:fs rejects with
    throw new FlotillaError('invalid', `cannot read ${path}: ${REASONS[code] ?? message}`, { cause: error });
  }
}

function checkSizes(documents: readonly YamlDocument[]): void {
  const { maxBytes } = DEFAULT_YAML_LIMITS;
  let total = 0;
  for (const { source, yaml } of documents) {
    const bytes = Buffer.byteLength(yaml);
    total += bytes;
    if (bytes > maxBytes) {
      throw new FlotillaError(
        'invalid',
        `${source} has ${bytes} bytes, more than the ${maxBytes} allowed in one file`,
        {
          hint: 'Split it into several files.',
        },
      );
    }
  }
  if (total > MAX_CALL_BYTES) {
    throw new FlotillaError(
      'invalid',
      `the files have ${total} bytes together, more than the ${MAX_CALL_BYTES} allowed`,
      {
        hint: 'Apply them in several commands.',
      },
    );
  }
}
