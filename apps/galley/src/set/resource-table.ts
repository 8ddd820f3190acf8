/** Resources by a name that one of them goes by at most. */
export class ResourceTable<Resource> {
  readonly #byName = new Map<string, Resource>();

  add(_key: string, names: readonly string[], resource: Resource): void {
    for (const name of names) this.#byName.set(name, resource);
  }

  remove(_key: string, names: readonly string[]): void {
    for (const name of names) this.#byName.delete(name);
  }

  get(name: string): Resource | undefined {
    return this.#byName.get(name);
  }
}
