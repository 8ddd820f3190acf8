import { statSync } from 'node:fs';
import { FlotillaError } from '../errors.ts';

/**
 * Remembers which files stand at these paths. The function that is returned throws `system` when one of them is gone or
 * another file by now: who has them open would go on writing what nobody can find again.
 */
export function pinFiles(paths: readonly string[]): () => void {
  const pinned = paths.map((path) => ({ path, is: whichFile(path) }));
  return () => {
    for (const { path, is } of pinned) {
      const now = whichFile(path);
      if (now === is) continue;
      throw new FlotillaError(
        'system',
        `${path} was ${now === null ? 'removed' : 'replaced'} while it was in use, and nothing can be kept in it`,
        { hint: 'Put the directory back as it was, from a backup if need be, and restart this process.' },
      );
    }
  };
}

/** Device and inode; null when there is no file. */
function whichFile(path: string): string | null {
  try {
    const facts = statSync(path, { bigint: true, throwIfNoEntry: false });
    return facts === undefined ? null : `${facts.dev}:${facts.ino}`;
  } catch {
    return null; // A directory above it is no directory any more, or is closed to us: as good as gone.
  }
}
