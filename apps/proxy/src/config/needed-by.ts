/**
 * What is needed by name, by any number of holders, and how; of several the newest counts while it is held. A change costs what it
 * changes, however many names there are.
 */
export class NeededBy<Need extends object> {
  /** By name, each need with how many hold it. */
  readonly #holders = new Map<string, Map<Need, number>>();
  readonly #names = new Map<string, Need>();
  #isChanged = false;

  /** A holder needs these in place of those. */
  replace(before: ReadonlyMap<string, Need> | undefined, after: ReadonlyMap<string, Need> | undefined): void {
    for (const [name, need] of after ?? []) this.#add(name, need);
    for (const [name, need] of before ?? []) this.#remove(name, need);
  }

  /** All of it, by name, when it has changed since this was asked last; otherwise null. */
  takeChange(): ReadonlyMap<string, Need> | null {
    if (!this.#isChanged) return null;
    this.#isChanged = false;
    return new Map(this.#names);
  }

  #add(name: string, need: Need): void {
    const holders = this.#holders.get(name) ?? new Map<Need, number>();
    this.#holders.set(name, holders);
    holders.set(need, (holders.get(need) ?? 0) + 1);
    this.#set(name, need);
  }

  #remove(name: string, need: Need): void {
    const holders = this.#holders.get(name);
    const count = holders?.get(need) ?? 0;
    if (holders === undefined || count > 1) {
      holders?.set(need, count - 1);
      return;
    }
    holders.delete(need);
    if (this.#names.get(name) !== need) return;
    const [left] = holders.keys();
    if (left !== undefined) {
      this.#set(name, left);
      return;
    }
    this.#holders.delete(name);
    this.#names.delete(name);
    this.#isChanged = true;
  }

  #set(name: string, need: Need): void {
    if (this.#names.get(name) === need) return;
    this.#names.set(name, need);
    this.#isChanged = true;
  }
}
