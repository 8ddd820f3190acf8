import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';

export interface DataDirectory {
  /** Database file of galley. */
  readonly store: string;
  /** Directory of citadel's keys. */
  readonly citadel: string;
}

/** Makes the directory where it is missing, for this user only. Throws `system` when it cannot be written. */
export function openDataDirectory(path: string): DataDirectory {
  const citadel = join(path, 'citadel');
  try {
    mkdirSync(citadel, { recursive: true, mode: 0o700 });
    accessSync(path, constants.W_OK);
    accessSync(citadel, constants.W_OK);
  } catch (error) {
    throw new FlotillaError(
      'system',
      `the data directory ${path} cannot be written: ${FlotillaError.from(error).message}`,
      {
        cause: error,
        hint: 'Name another one with --data, or change its owner.',
      },
    );
  }
  return { store: join(path, 'galley.sqlite'), citadel };
}
