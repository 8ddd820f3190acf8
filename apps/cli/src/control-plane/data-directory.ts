import { join } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';
import {
  assertFolderIsKept,
  assertPrivateFolder,
  assertWritable,
  type Inventory,
  makeDirectory,
  openInventory,
} from '@flotilla/runtime/disk';

export interface DataDirectory {
  /** Database file of galley. */
  readonly store: string;
  /** Directory of citadel's keys. */
  readonly citadel: string;
  /** Remembers store and keys, on both sides: it outlives whichever of them is removed. */
  readonly inventory: Inventory;
}

/**
 * Makes the directory where it is missing, for this user only. Throws `system` when it cannot be written, `invalid` when
 * others can change it, or what it remembers is damaged. `beginAnew`: what was lost on purpose.
 */
export function openDataDirectory(path: string, beginAnew: readonly string[]): DataDirectory {
  const citadel = join(path, 'citadel');
  try {
    makeDirectory(citadel);
    assertFolderIsKept(path);
    assertPrivateFolder(citadel);
    assertWritable(citadel);
  } catch (error) {
    const fault = FlotillaError.from(error);
    throw new FlotillaError(
      fault.code === 'invalid' ? 'invalid' : 'system',
      `the data directory ${path} cannot be used: ${fault.message}`,
      { cause: error, hint: fault.hint ?? 'Name another one with --data, or change its owner.' },
    );
  }
  const inventory = openInventory({ places: [path, citadel], beginAnew });
  return { store: join(path, 'galley.sqlite'), citadel, inventory };
}
