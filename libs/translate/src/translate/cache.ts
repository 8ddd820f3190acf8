import { identityOf } from '../identity.ts';
import type { Draft } from './draft.ts';
import type { EncodedResource } from './encoded.ts';
import { finish, NO_PATCHES, type Patch } from './finish.ts';

/**
 * What a generator may be given: names and numbers, and immutable parts of the mesh model. A part is replaced when it
 * changes, so its identity stands for its content, and the whole argument is its own cache key.
 */
export type Inputs = Readonly<
  Record<string, string | number | boolean | null | object | readonly object[] | readonly string[]>
>;

/** Longer lists are parts of the mesh model themselves: they are not made anew for every argument. */
const MAX_COMPARED = 16;

/**
 * Equal keys mean equal arguments: values by value, parts by identity, lists element by element, long ones by identity.
 */
export function cacheKey(generator: object, inputs: Inputs): string {
  let key = String(identityOf(generator));
  for (const name in inputs) key += `|${partKey(inputs[name])}`;
  return key;
}

function partKey(value: unknown): string {
  if (typeof value === 'string') return `${value.length}:${value}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (!Array.isArray(value) || value.length > MAX_COMPARED) return `#${identityOf(value)}`;
  return `[${value.map(partKey).join()}]`;
}

/**
 * Finished resources by the inputs and patches they were made from, shared by all proxies. Bounded: the entries unused
 * for longest go first.
 */
export class ResourceCache {
  readonly #entries = new Map<string, EncodedResource>();
  readonly #maxEntries: number;
  #hits = 0;
  #misses = 0;

  constructor(maxEntries = 50_000) {
    this.#maxEntries = maxEntries;
  }

  /** The finished resource of a generator, made when it is not there yet. */
  get<Argument extends Inputs>(
    generator: (inputs: Argument) => Draft,
    inputs: Argument,
    patches: readonly Patch[] = NO_PATCHES,
  ): EncodedResource {
    const key = cacheKey(generator, patches.length === 0 ? inputs : { ...inputs, patches });
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#misses += 1;
      entry = finish(generator(inputs), patches);
    } else {
      this.#hits += 1;
      this.#entries.delete(key);
    }
    // A Map iterates in order of insertion, so re-inserting keeps the least recently used first.
    this.#entries.set(key, entry);
    if (this.#entries.size > this.#maxEntries) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    return entry;
  }

  get statistics(): { readonly hits: number; readonly misses: number; readonly entries: number } {
    return { hits: this.#hits, misses: this.#misses, entries: this.#entries.size };
  }
}
