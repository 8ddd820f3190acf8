import { formatKey, hostsOf, isOfType, resolveHost, typedResource } from '@flotilla/model';
import type {
  AnyMeshResource,
  KindEntry,
  KnownKind,
  Locator,
  MeshResourceOf,
  Resource,
  ResourceKey,
  SpecByKind,
} from '@flotilla/model';
import { HostIndex } from './host-index.ts';
import { ReferenceIndex } from './reference-index.ts';
import { keepPositions } from './positions.ts';
import { SubsetIndex } from './subset-index.ts';

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

export function meshEntry(
  resource: Resource,
  entry: KindEntry,
  spec: SpecByKind[KnownKind],
  owner: string,
  locator: Locator | null = null,
): MeshEntry {
  const typed = typedResource(resource, entry, spec);
  return { resource, typed, owner, locator: locator === null ? null : keepPositions(typed, locator) };
}

/**
 * The current resources in memory, with the indexes that analysers ask. A change costs what it touches, not what the
 * set holds.
 */
export class MeshSet {
  readonly #entries = new Map<string, MeshEntry>();
  /** Hosts that services have: Kubernetes Services and ServiceEntries. */
  readonly services = new HostIndex();
  /** What DestinationRules define. */
  readonly subsets = new SubsetIndex();
  /** Which VirtualServices name which hosts and gateways. */
  readonly references = new ReferenceIndex();

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

  #add(entry: MeshEntry): void {
    const key = formatKey(entry.resource.key);
    this.#entries.set(key, entry);
    const { typed } = entry;
    if (isServiceLike(typed)) this.services.add(key, hostsOf(typed));
    else if (isOfType(typed, 'DestinationRule')) this.subsets.add(key, ruleHost(typed), typed);
    else if (isOfType(typed, 'VirtualService')) this.references.add(key, typed);
  }

  #remove(entry: MeshEntry): void {
    const key = formatKey(entry.resource.key);
    this.#entries.delete(key);
    const { typed } = entry;
    if (isServiceLike(typed)) this.services.remove(key, hostsOf(typed));
    else if (isOfType(typed, 'DestinationRule')) this.subsets.remove(key, ruleHost(typed));
    else if (isOfType(typed, 'VirtualService')) this.references.remove(key, typed);
  }
}

function isServiceLike(resource: AnyMeshResource): boolean {
  return resource.type === 'Service' || resource.type === 'ServiceEntry';
}

function ruleHost({ spec, key }: MeshResourceOf<'DestinationRule'>): string {
  return resolveHost(spec.host, key.namespace);
}
