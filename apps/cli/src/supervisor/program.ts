import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';

/**
 * Finds the program of a command: an absolute path, a path relative to the working directory, or a name on
 * PATH. `node` is the Node that runs us, so that examples need no other. Throws `invalid` when there is none.
 */
export function resolveProgram(program: string, directory: string, searchPath = process.env['PATH'] ?? ''): string {
  if (program === 'node') return process.execPath;
  const candidates =
    program.includes('/') || isAbsolute(program)
      ? [resolve(directory, program)]
      : searchPath.split(delimiter).map((folder) => join(folder, program));
  const found = candidates.find(isExecutable);
  if (found === undefined) {
    throw new FlotillaError('invalid', `the program "${program}" does not exist or is not executable`, {
      hint: program.includes('/')
        ? `Looked at ${candidates[0] ?? program}; a relative path starts at the workload's directory.`
        : 'Looked in every folder of PATH.',
    });
  }
  return found;
}

/** Path of a program on PATH, or null. */
export function findProgram(program: string, searchPath = process.env['PATH'] ?? ''): string | null {
  return (
    searchPath
      .split(delimiter)
      .map((folder) => join(folder, program))
      .find(isExecutable) ?? null
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
