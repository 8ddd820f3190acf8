import { hostCovers, isWildcard } from '@flotilla/model';

/** Which resources (by key) speak for which full hosts. Exact hosts are found at once, wildcards by a short walk. */
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

  /** Keys of the resources that speak for `host`, exactly or by a wildcard. */
  covering(host: string): readonly string[] {
    const keys = [...(this.#exact.get(host) ?? [])];
    for (const [wildcard, more] of this.#wildcards) if (hostCovers(wildcard, host)) keys.push(...more);
    return keys;
  }

  covers(host: string): boolean {
    if (this.#exact.has(host)) return true;
    for (const wildcard of this.#wildcards.keys()) if (hostCovers(wildcard, host)) return true;
    return false;
  }

  /** Keys of the resources whose hosts `pattern` covers. */
  coveredBy(pattern: string): readonly string[] {
    if (!isWildcard(pattern)) return [...(this.#exact.get(pattern) ?? [])];
    const keys: string[] = [];
    for (const table of [this.#exact, this.#wildcards]) {
      for (const [host, more] of table) if (hostCovers(pattern, host)) keys.push(...more);
    }
    return keys;
  }
}
