import type { AnyMeshResource, KnownKind } from '@flotilla/model';

export type ResourceOf<Kind extends KnownKind> = Extract<AnyMeshResource, { readonly type: Kind }>;

/** Keeps resources by names. */
export interface NameTable<Resource> {
  add(key: string, names: readonly string[], resource: Resource): void;
  remove(key: string, names: readonly string[], resource: Resource): void;
}

export interface SetListener {
  added(key: string, resource: AnyMeshResource): void;
  removed(key: string, resource: AnyMeshResource): void;
}

/** A set of resources that tells what comes and goes. */
export interface ListenedSet {
  /** Told of all that is there, and from then on of each change. */
  listen(listener: SetListener): void;
}

/**
 * Which resources of some kinds go by which names, or name what: in a set, a table that is made when it is first asked
 * for, and then kept in step.
 */
export class ResourceIndex<Kind extends KnownKind, Table extends NameTable<ResourceOf<Kind>>> {
  readonly #kinds: readonly KnownKind[];
  readonly #namesOf: (resource: ResourceOf<Kind>) => readonly string[];
  readonly #make: () => Table;
  readonly #tables = new WeakMap<ListenedSet, Table>();

  constructor(
    kinds: readonly Kind[],
    namesOf: (resource: ResourceOf<Kind>) => readonly string[],
    makeTable: () => Table,
  ) {
    this.#kinds = kinds;
    this.#namesOf = namesOf;
    this.#make = makeTable;
  }

  /** The names under which a resource is kept; none when it is of another kind. */
  namesOf(resource: AnyMeshResource): readonly string[] {
    return this.#isKept(resource) ? this.#namesOf(resource) : [];
  }

  in(set: ListenedSet): Table {
    const known = this.#tables.get(set);
    if (known !== undefined) return known;
    const table = this.#make();
    this.#tables.set(set, table);
    set.listen({
      added: (key, resource) => {
        if (this.#isKept(resource)) table.add(key, this.#namesOf(resource), resource);
      },
      removed: (key, resource) => {
        if (this.#isKept(resource)) table.remove(key, this.#namesOf(resource), resource);
      },
    });
    return table;
  }

  #isKept(resource: AnyMeshResource): resource is ResourceOf<Kind> {
    return this.#kinds.includes(resource.type);
  }
}
