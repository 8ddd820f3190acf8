import type { AnyMeshResource, KnownKind } from '@flotilla/model';
import { changeSorted } from '../sorted-list.ts';
import { byAge, type Config } from './config.ts';

/** A resource that was written, or is gone. */
export interface ResourceChange {
  readonly before: AnyMeshResource | null;
  readonly after: AnyMeshResource | null;
}

/** The resources of a mesh by kind, each list in order of age. Immutable: what a change does not touch is shared. */
export class KindLists {
  readonly #lists: ReadonlyMap<string, readonly AnyMeshResource[]>;

  constructor(lists: ReadonlyMap<string, readonly AnyMeshResource[]> = new Map()) {
    this.#lists = lists;
  }

  /** The same list for as long as none of the kind changes. */
  of<Kind extends KnownKind>(kind: Kind): readonly Config<Kind>[] {
    return (this.#lists.get(kind) ?? NOTHING) as readonly Config<Kind>[]; // Lists are by the type of what is in them.
  }

  with(changes: readonly ResourceChange[]): KindLists {
    const lists = new Map(this.#lists);
    const byKind = Map.groupBy(changes, ({ before, after }) => (before ?? after)?.type ?? '');
    for (const [kind, some] of byKind) {
      const removed = some.flatMap(({ before }) => before ?? []);
      const added = some.flatMap(({ after }) => after ?? []);
      lists.set(kind, changeSorted(lists.get(kind) ?? NOTHING, removed, added, byAge));
    }
    return new KindLists(lists);
  }
}

const NOTHING: readonly AnyMeshResource[] = [];
