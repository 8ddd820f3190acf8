import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Whether dist/flotilla.mjs was made from exactly the sources that lie below `root` now. */
export function isBundleFresh(root) {
  try {
    const inputs = JSON.parse(readFileSync(join(root, 'dist/inputs.json'), 'utf8'));
    return inputs.every(([path, size, mtimeMs]) => {
      const found = statSync(join(root, path));
      return found.size === size && found.mtimeMs === mtimeMs;
    });
  } catch {
    return false; // Never built, or a source is gone.
  }
}
