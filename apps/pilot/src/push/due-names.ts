/** The names of one type that a proxy's next response has to look at. */
export class DueNames {
  #isAll = false;
  readonly #names = new Set<string>();

  /** Nobody knows which: all of them. */
  addAll(): void {
    this.#isAll = true;
    this.#names.clear();
  }

  add(names: Iterable<string>): void {
    if (this.#isAll) return;
    for (const name of names) this.#names.add(name);
  }

  /** As they are now; `null`: all. */
  names(): ReadonlySet<string> | null {
    return this.#isAll ? null : new Set(this.#names);
  }

  /** They have been looked at. */
  clear(): void {
    this.#isAll = false;
    this.#names.clear();
  }
}
