/**
 * What filters note down by key for others to read, texts all of them (Envoy's filter state). A connection has one, and
 * each of its requests one of its own behind it.
 */
export class FilterState {
  readonly #parent: FilterState | null;
  readonly #entries = new Map<string, { readonly value: string; readonly isReadOnly: boolean }>();

  constructor(parent: FilterState | null) {
    this.#parent = parent;
  }

  get(key: string): string | null {
    return this.#parent?.get(key) ?? this.#entries.get(key)?.value ?? null;
  }

  /** What was set to stay is not changed, nor what the connection has noted down (as in Envoy). */
  set(key: string, value: string, isReadOnly: boolean): void {
    if (this.#parent !== null && this.#parent.get(key) !== null) return;
    if (this.#entries.get(key)?.isReadOnly !== true) this.#entries.set(key, { value, isReadOnly });
  }
}
