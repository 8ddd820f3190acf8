import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a file, its owner's alone unless `mode` says more, on the disk when this returns. Throws what the system throws,
 * also when there is one; a file that could not be written whole is not left behind.
 */
export function writeDurably(path: string, content: string, mode = 0o600): void {
  const file = openSync(path, 'wx', mode);
  try {
    const bytes = Buffer.from(content);
    // A disk that fills up takes a part, and fails at the next.
    for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
    // Whatever the umask takes away.
    fchmodSync(file, mode);
    fsyncSync(file);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/** Puts a file in the place of another, if there is one: whoever reads finds the old one or the new one, whole. */
export function replaceDurably(path: string, content: string, mode = 0o600): void {
  const temporary = `${path}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  writeDurably(temporary, content, mode);
  try {
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

/** Names that were made or removed in a directory are on the disk when this returns. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/**
 * Makes a directory for its owner alone (0700), and those above it that are missing. Throws what the system throws. Not
 * Node's recursive mkdir: under /proc, where a directory exists and none can be made, that never returns.
 */
export function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
