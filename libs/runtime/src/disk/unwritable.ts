import { randomBytes } from 'node:crypto';
import { accessSync, constants, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './durable.ts';

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: "this user's quota is used up",
  EROFS: 'it is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  ENOENT: 'it does not exist',
  ENOTDIR: 'it is not a directory',
  EIO: 'the disk does not work',
};
// More than what file systems keep beside their tables, and more than a database asks for at once.
const PROBE_BYTES = 64 * 1024;

/** Throws what the system throws unless this process may write into a directory. Whether there is room is not asked. */
export function assertWritable(directory: string): void {
  accessSync(directory, constants.W_OK);
}

/**
 * Why nothing can be written into a directory, such as `the disk is full`; null when something can. Finds out by
 * writing: who reports a failed write often does not say why it failed.
 */
export function whyUnwritable(directory: string): string | null {
  const probe = join(directory, `.probe-${process.pid}-${randomBytes(4).toString('hex')}`);
  try {
    writeDurably(probe, 'x'.repeat(PROBE_BYTES));
    rmSync(probe);
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

/** What an error of the file system means, in words. */
export function reasonOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return WORDS[code] ?? message;
}
