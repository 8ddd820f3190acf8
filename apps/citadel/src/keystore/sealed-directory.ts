import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';

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
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    removeLeftovers(directory);
    const temporary = `${directory}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
    mkdirSync(temporary, { mode: 0o700 });
    for (const [name, content] of Object.entries(files)) writeSynced(join(temporary, name), content);
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
 * Reads a file that only its owner may read, in a directory that only its owner may change. Throws `invalid` when
 * others may, `system` when it cannot be read.
 */
export function readSealedFile(directory: string, name: string): string {
  const path = join(directory, name);
  try {
    const rules = [
      { path: directory, mask: 0o022, what: 'can be changed by others', fix: `chmod 700 ${directory}` },
      { path, mask: 0o077, what: 'can be read by others', fix: `chmod 600 ${path}` },
    ];
    for (const rule of rules) {
      const mode = statSync(rule.path).mode & 0o777;
      if ((mode & rule.mask) !== 0) {
        throw new FlotillaError('invalid', `${rule.path} ${rule.what} (mode ${mode.toString(8).padStart(4, '0')})`, {
          hint: `Find out who had access; if nobody did, run: ${rule.fix}`,
        });
      }
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw FlotillaError.from(error, 'system').within('the key store cannot be used');
  }
}

function writeSynced(path: string, content: string): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Brings the names in a directory to the disk. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
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
