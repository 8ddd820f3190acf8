import type { Import } from './sources.ts';

/** A house of rooms: folders (or files) under `root`, bottom first. A room may import what stands before it. */
export interface House {
  readonly root: string;
  readonly order: readonly Room[];
}

export interface Room {
  readonly name: string;
  /** Folders and files under the house's root; the longest that fits a file decides. */
  readonly places: readonly string[];
}

export interface UpwardImport extends Import {
  readonly fromRoom: string;
  /** Null: a file that stands in no room. */
  readonly toRoom: string | null;
}

/** Imports from a lower room into a higher one, types included. */
export function upwardImports(imports: readonly Import[], houses: readonly House[]): UpwardImport[] {
  return houses.flatMap(({ root, order }) => {
    const rank = new Map(order.map(({ name }, at) => [name, at]));
    const roomOf = (path: string): string | null => findRoom(path, root, order);
    return imports.flatMap((each): UpwardImport[] => {
      if (!each.from.startsWith(`${root}/`) || !each.to.startsWith(`${root}/`)) return [];
      const fromRoom = roomOf(each.from);
      const toRoom = roomOf(each.to);
      if (fromRoom === null || fromRoom === toRoom) return [];
      const isUpward = toRoom === null || (rank.get(toRoom) ?? 0) > (rank.get(fromRoom) ?? 0);
      return isUpward ? [{ ...each, fromRoom, toRoom }] : [];
    });
  });
}

/** Files of a house that stand in no room. */
export function homeless(paths: readonly string[], { root, order }: House): string[] {
  return paths.filter((path) => path.startsWith(`${root}/`) && findRoom(path, root, order) === null);
}

function findRoom(path: string, root: string, order: readonly Room[]): string | null {
  let best: string | null = null;
  let length = -1;
  for (const { name, places } of order) {
    for (const place of places) {
      const full = `${root}/${place}`;
      if (place.length > length && (path === full || path.startsWith(`${full}/`)))
        [best, length] = [name, place.length];
    }
  }
  return best;
}
