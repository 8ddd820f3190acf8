import { PairMemo } from '../identity.ts';
import type { EncodedResource } from './encoded.ts';

/** Resources of one type by name; a `Map` is one. */
export interface Offer {
  readonly size: number;
  get(name: string): EncodedResource | undefined;
  has(name: string): boolean;
  keys(): Iterable<string>;
  values(): Iterable<EncodedResource>;
}

/** What all proxies of a class are offered, one object for them all, and what only one of them is. Names differ. */
export class ClassOffer implements Offer {
  readonly shared: ReadonlyMap<string, EncodedResource>;
  readonly own: ReadonlyMap<string, EncodedResource>;

  /** Of an own resource that is called like a shared one, the shared one counts. */
  constructor(shared: ReadonlyMap<string, EncodedResource>, own: Iterable<EncodedResource>) {
    this.shared = shared;
    this.own = new Map([...own].filter(({ name }) => !shared.has(name)).map((resource) => [resource.name, resource]));
  }

  get size(): number {
    return this.shared.size + this.own.size;
  }

  get(name: string): EncodedResource | undefined {
    return this.shared.get(name) ?? this.own.get(name);
  }

  has(name: string): boolean {
    return this.shared.has(name) || this.own.has(name);
  }

  *keys(): Iterable<string> {
    yield* this.shared.keys();
    yield* this.own.keys();
  }

  *values(): Iterable<EncodedResource> {
    yield* this.shared.values();
    yield* this.own.values();
  }
}

/** Names whose resources differ between two offers, or are in one of them only. What is shared is compared once. */
export function changedNames(previous: ClassOffer, next: ClassOffer): ReadonlySet<string> {
  const shared = previous.shared === next.shared ? NONE : differences.get(previous.shared, next.shared);
  const own = namesOfDifferences(previous.own, next.own);
  return own.size === 0 ? shared : new Set([...shared, ...own]);
}

const NONE: ReadonlySet<string> = new Set();
const differences = new PairMemo(namesOfDifferences);

function namesOfDifferences(
  previous: ReadonlyMap<string, EncodedResource>,
  next: ReadonlyMap<string, EncodedResource>,
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [name, resource] of next) if (previous.get(name)?.version !== resource.version) names.add(name);
  for (const name of previous.keys()) if (!next.has(name)) names.add(name);
  return names;
}
