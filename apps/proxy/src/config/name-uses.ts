/** How many use each name, so that a change costs what it changes, however many names there are. */
export class NameUses {
  readonly #counts = new Map<string, number>();
  readonly #names = new Set<string>();

  /** The names in use; it changes with them. */
  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** True for the first use of the name. */
  add(name: string): boolean {
    const count = this.#counts.get(name) ?? 0;
    this.#counts.set(name, count + 1);
    if (count > 0) return false;
    this.#names.add(name);
    return true;
  }

  /** True when nobody uses the name any more. */
  remove(name: string): boolean {
    const count = this.#counts.get(name) ?? 0;
    if (count > 1) {
      this.#counts.set(name, count - 1);
      return false;
    }
    this.#counts.delete(name);
    return this.#names.delete(name);
  }
}
