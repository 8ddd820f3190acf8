import { type FSWatcher, readdirSync, realpathSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@flotilla/observe';

export interface WatchTreeOptions {
  readonly directory: string;
  readonly logger: Logger;
  /** Something was made, changed, moved or removed in one of the directories. */
  readonly onEvent: () => void;
}

export interface WatchedTree {
  /**
   * Whether the directory, or one below it, is another one than before: it was moved, removed, exchanged or made. What is
   * there now is watched from then on.
   */
  hasMoved(): boolean;
  /** Idempotent. */
  close(): void;
}

/**
 * Watches a directory and those below it, each by a watch of its own: the operating system watches what a name led to,
 * and Node's recursive watch ends with the first name that leads elsewhere. Directories that cannot be watched are told
 * of in the log, once, and left to polling.
 */
export function watchTree({ directory, logger, onEvent }: WatchTreeOptions): WatchedTree {
  let watched = new Map<string, { readonly is: string; readonly watcher: FSWatcher | null }>();
  let hasComplained = false;
  const complain = (path: string, error: unknown): void => {
    if (!hasComplained)
      logger.warn('a directory cannot be watched and is polled', { directory: path, error: String(error) });
    hasComplained = true;
  };
  const open = (path: string): FSWatcher | null => {
    try {
      const watcher = watch(path, { persistent: false });
      watcher.on('change', onEvent);
      watcher.on('error', (error) => complain(path, error));
      return watcher;
    } catch (error) {
      complain(path, error);
      return null;
    }
  };
  const look = (): boolean => {
    const found = directoriesUnder(directory);
    const isSame = found.size === watched.size && [...found].every(([path, is]) => watched.get(path)?.is === is);
    if (isSame) return false;
    const next: typeof watched = new Map();
    for (const [path, is] of found) {
      const known = watched.get(path);
      next.set(path, known?.is === is ? known : { is, watcher: open(path) });
    }
    for (const [path, known] of watched) if (next.get(path) !== known) known.watcher?.close();
    watched = next;
    return true;
  };
  look();
  return {
    hasMoved: look,
    close() {
      for (const { watcher } of watched.values()) watcher?.close();
      watched = new Map();
    },
  };
}

/** Directories by path, with what each is at present: its place, device and inode. Hidden ones are passed over. */
function directoriesUnder(root: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    try {
      const { dev, ino } = statSync(path, { bigint: true });
      const entries = readdirSync(path, { withFileTypes: true });
      found.set(path, `${realpathSync(path)} ${dev}:${ino}`);
      for (const entry of entries) {
        if (entry.isDirectory() && !entry.name.startsWith('.')) visit(join(path, entry.name));
      }
    } catch {
      // Gone, or closed to us: not one that can be watched. Scanning it says why.
    }
  };
  visit(root);
  return found;
}
