import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';
import {
  assertFolderIsKept,
  assertPrivateFile,
  assertPrivateFolder,
  makeDirectory,
  readSecretFile,
  syncDirectory,
  writeDurably,
} from '@flotilla/runtime/disk';

/** File name to content. */
export type Files = Readonly<Record<string, string>>;

/**
 * Makes a directory (0700) with these files (0600), all or nothing, once: files are written and synced in a temporary
 * directory, which is then renamed. After a crash at any moment the directory is either whole or not there; when
 * another process was faster, its directory stays. Throws `system`.
 */
export function createSealedDirectory(directory: string, files: Files): void {
  const parent = dirname(directory);
  try {
    makeDirectory(parent);
    removeLeftovers(directory);
    const temporary = `${directory}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
    mkdirSync(temporary, { mode: 0o700 });
    for (const [name, content] of Object.entries(files)) writeDurably(join(temporary, name), content);
    syncDirectory(temporary);
    try {
      renameSync(temporary, directory);
    } catch (error) {
      rmSync(temporary, { recursive: true });
      if (!existsSync(directory)) throw error;
    }
    syncDirectory(parent);
  } catch (error) {
    throw FlotillaError.from(error, 'system').within(`cannot write ${directory}`);
  }
}

/** Whether `createSealedDirectory` has made it. Throws `system` when that cannot be told. */
export function hasSealedDirectory(directory: string): boolean {
  try {
    return statSync(directory, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw FlotillaError.from(error, 'system').within(`cannot read ${directory}`);
  }
}

/**
 * Reads a file that only its owner may read (0600), in a directory that is its owner's alone (0700), in one that nobody
 * else may change. Throws `invalid` when others may, `system` when it cannot be read.
 */
export function readSealedFile(directory: string, name: string): string {
  const path = join(directory, name);
  try {
    assertFolderIsKept(dirname(directory));
    assertPrivateFolder(directory);
    assertPrivateFile(path);
    return readSecretFile(path);
  } catch (error) {
    const fault = FlotillaError.from(error, 'system').within('the key store cannot be used');
    if (fault.hint !== undefined) throw fault;
    throw new FlotillaError(fault.code, fault.message, { cause: error, hint: 'Put it back from a backup.' });
  }
}

/** Temporary directories of processes that died; those of live ones are left alone. */
function removeLeftovers(directory: string): void {
  const prefix = `${basename(directory)}.new-`;
  for (const name of readdirSync(dirname(directory))) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number(name.slice(prefix.length).split('-', 1)[0]);
    if (!isAlive(pid)) rmSync(join(dirname(directory), name), { recursive: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: there is such a process, of another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
