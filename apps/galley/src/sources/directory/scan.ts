import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError, limit } from '@flotilla/runtime';

/** A file of configuration: its text, or why it could not be read. */
export type ScannedFile = { readonly text: string } | { readonly error: FlotillaError };

const CONFIGURATION = /\.(ya?ml|json)$/i;
// What one file may hold is bounded again when it is read as YAML; this keeps a stray image out of memory.
const MAX_FILE_BYTES = limit({
  name: 'galley.file-bytes',
  what: 'one file of a watched directory',
  default: 8 << 20,
  unit: 'bytes',
  past: 'the file is left out with a finding; its last good version stays',
});

/**
 * Reads every `*.yaml`, `*.yml` and `*.json` under a directory, by path in sorted order. Hidden files and directories
 * are passed over; links to files are followed, links to directories are not. A file that cannot be read is returned
 * with its error. Throws when the directory itself cannot be listed.
 */
export async function scanDirectory(directory: string): Promise<ReadonlyMap<string, ScannedFile>> {
  const paths = await listFiles(directory);
  const files = await Promise.all(paths.sort().map(async (path) => [path, await readOne(path)] as const));
  return new Map(files.flatMap(([path, file]) => (file === null ? [] : [[path, file]])));
}

async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const nested = await Promise.all(
    entries
      .filter((entry) => !entry.name.startsWith('.'))
      .map(async (entry) => {
        const path = join(directory, entry.name);
        if (entry.isDirectory()) return listNested(path);
        return CONFIGURATION.test(entry.name) ? [path] : [];
      }),
  );
  return nested.flat();
}

async function listNested(directory: string): Promise<string[]> {
  try {
    return await listFiles(directory);
  } catch (error) {
    // A directory that went away between the listing and now has no files.
    if (isMissing(error)) return [];
    throw error;
  }
}

async function readOne(path: string): Promise<ScannedFile | null> {
  try {
    const facts = await stat(path);
    if (facts.isDirectory()) return null;
    if (facts.size > MAX_FILE_BYTES) {
      return { error: new FlotillaError('exhausted', `the file has ${facts.size} bytes, more than ${MAX_FILE_BYTES}`) };
    }
    return { text: await readFile(path, 'utf8') };
  } catch (error) {
    return isMissing(error) ? null : { error: FlotillaError.from(error, 'system') };
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'ENOENT';
}
