import { isWildcard } from '@flotilla/model';

/**
 * Which resources (by key) speak for which full hosts. What covers a host is found by asking for each of its suffixes, so
 * that neither the number of wildcards nor that of hosts counts.
 */
export class HostIndex {
  readonly #exact = new Map<string, Set<string>>();
  readonly #wildcards = new Map<string, Set<string>>();

  add(key: string, hosts: readonly string[]): void {
    for (const host of hosts) {
      const table = isWildcard(host) ? this.#wildcards : this.#exact;
      const keys = table.get(host);
      if (keys === undefined) table.set(host, new Set([key]));
      else keys.add(key);
    }
  }

  remove(key: string, hosts: readonly string[]): void {
    for (const host of hosts) {
      const table = isWildcard(host) ? this.#wildcards : this.#exact;
      const keys = table.get(host);
      keys?.delete(key);
      if (keys?.size === 0) table.delete(host);
    }
  }

  /** Whether some resource speaks for `host`, exactly or by a wildcard. */
  covers(host: string): boolean {
    return (
      this.#exact.has(host) || (this.#wildcards.size > 0 && wildcardsCovering(host).some((w) => this.#wildcards.has(w)))
    );
  }

  /** Keys of the resources of which a host is covered by one of `patterns`. */
  coveredByAny(patterns: ReadonlySet<string>): ReadonlySet<string> {
    const found = new Set<string>();
    const addAll = (keys: Iterable<string> | undefined): void => {
      for (const key of keys ?? []) found.add(key);
    };
    for (const pattern of patterns) addAll(this.#exact.get(pattern));
    if (![...patterns].some(isWildcard)) return found;
    for (const table of [this.#exact, this.#wildcards]) {
      for (const [host, keys] of table) if (wildcardsCovering(host).some((w) => patterns.has(w))) addAll(keys);
    }
    return found;
  }
}

/** Every wildcard that covers the host (as `hostCovers` says), from the most to the least specific. */
export function wildcardsCovering(host: string): readonly string[] {
  const isPattern = isWildcard(host);
  const found = isPattern ? [host] : [];
  for (let at = isPattern ? 2 : 1; at <= host.length; at++) found.push(`*${host.slice(at)}`);
  return found;
}
