import { formatKey } from '@flotilla/model';
import type { AnyMeshResource, Locator, Resource, ResourceKey } from '@flotilla/model';
import type { SetListener } from './resource-index.ts';

/** A resource of the set, with its typed view. */
export interface MeshEntry {
  readonly resource: Resource;
  readonly typed: AnyMeshResource;
  readonly owner: string;
  /** Positions of its fields, while they are known: they are not stored. */
  readonly locator: Locator | null;
}

export type SetChange =
  { readonly type: 'put'; readonly entry: MeshEntry } | { readonly type: 'delete'; readonly key: ResourceKey };

/**
 * The current resources in memory, and who listens to what comes and goes (`ResourceIndex`). A change costs what it
 * touches, not what the set holds.
 */
export class MeshSet {
  readonly #entries = new Map<string, MeshEntry>();
  readonly #listeners: SetListener[] = [];

  get size(): number {
    return this.#entries.size;
  }

  get(key: ResourceKey): MeshEntry | undefined {
    return this.#entries.get(formatKey(key));
  }

  getByText(key: string): MeshEntry | undefined {
    return this.#entries.get(key);
  }

  entries(): IterableIterator<MeshEntry> {
    return this.#entries.values();
  }

  /** Applies the changes and returns the function that takes them back. */
  apply(changes: readonly SetChange[]): () => void {
    const undo: SetChange[] = [];
    for (const change of changes) {
      const key = change.type === 'put' ? change.entry.resource.key : change.key;
      const before = this.get(key);
      undo.push(before === undefined ? { type: 'delete', key } : { type: 'put', entry: before });
      if (before !== undefined) this.#remove(before);
      if (change.type === 'put') this.#add(change.entry);
    }
    return () => void this.apply(undo.reverse());
  }

  clear(): void {
    for (const entry of [...this.#entries.values()]) this.#remove(entry);
  }

  /** Tells of all that is there, and from then on of each change. */
  listen(listener: SetListener): void {
    this.#listeners.push(listener);
    for (const [key, { typed }] of this.#entries) listener.added(key, typed);
  }

  #add(entry: MeshEntry): void {
    const key = formatKey(entry.resource.key);
    this.#entries.set(key, entry);
    for (const listener of this.#listeners) listener.added(key, entry.typed);
  }

  #remove(entry: MeshEntry): void {
    const key = formatKey(entry.resource.key);
    this.#entries.delete(key);
    for (const listener of this.#listeners) listener.removed(key, entry.typed);
  }
}
