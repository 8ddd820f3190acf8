import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { FlotillaError } from '../errors.ts';

/** What a file with a secret may be to others, unless a setting says more: nothing. */
export const PRIVATE_FILE_MODE = 0o600;
const PRIVATE_FOLDER_MODE = 0o700;
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

export interface ReadSecretOptions {
  /** The widest mode that the file may have. A platform that mounts secrets, such as Kubernetes (0440), needs more. */
  readonly widestMode?: number;
}

/**
 * Reads a file that holds a secret. Throws `invalid` when others can read it, as far as its folder does not keep them
 * out, or can put another one in its place; `system` when it cannot be read. With a wider mode the folder is the
 * platform's affair.
 */
export function readSecretFile(path: string, { widestMode = PRIVATE_FILE_MODE }: ReadSecretOptions = {}): string {
  try {
    const { mode } = statSync(path);
    const folder = dirname(realpathSync(path));
    const isHidden = isPrivateFolder(folder);
    if (!isHidden && (mode & 0o777 & ~widestMode) !== 0) throw tooWide(path, 'can be read by others', mode, widestMode);
    if (!isHidden && widestMode === PRIVATE_FILE_MODE) assertFolderIsKept(folder);
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw FlotillaError.from(error, 'system');
  }
}

/** Throws `invalid` unless a file is its owner's alone (0600), whatever its folder is; `system` when it is not there. */
export function assertPrivateFile(path: string): void {
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) throw tooWide(path, 'can be read by others', mode, PRIVATE_FILE_MODE);
  } catch (error) {
    throw FlotillaError.from(error, 'system');
  }
}

/** Throws `invalid` unless a folder is its owner's alone (0700); `system` when it cannot be looked at. */
export function assertPrivateFolder(path: string): void {
  try {
    assertFolderIsKept(path);
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) throw tooWide(path, 'can be entered by others', mode, PRIVATE_FOLDER_MODE);
  } catch (error) {
    throw FlotillaError.from(error, 'system');
  }
}

/** Throws `invalid` when others can put files of theirs into a folder, or take away ours. */
export function assertFolderIsKept(path: string): void {
  const { mode } = statSync(path);
  if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
    throw tooWide(path, 'can be changed by others', mode, PRIVATE_FOLDER_MODE);
  }
}

function isPrivateFolder(path: string): boolean {
  const { mode, uid } = statSync(path);
  return (mode & 0o077) === 0 && (uid === process.getuid?.() || uid === 0);
}

function tooWide(path: string, what: string, mode: number, right: number): FlotillaError {
  const fix = `chmod ${right.toString(8)} ${path}`;
  return new FlotillaError('invalid', `${path} ${what} (mode ${formatMode(mode)})`, {
    hint: `Find out who had access; if nobody did, run: ${fix}`,
  });
}

/** `0640`. */
export function formatMode(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}

/** A mode as it is written for chmod, such as `0440`. Throws `invalid` for one that lets others write. */
export function parseSecretMode(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if ((mode & OTHERS_WRITE) === 0) return mode;
    throw new FlotillaError('invalid', `${text} lets others change secrets`, { hint: 'Write 0600, 0440 or 0444.' });
  }
  throw new FlotillaError('invalid', `"${text}" is not a mode of files`, { hint: 'Write 0600, 0440 or 0444.' });
}
