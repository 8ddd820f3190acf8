import type { Any } from '@bufbuild/protobuf/wkt';
import { inField } from '@flotilla/envoy';
import { chainHeaderEdits, type Surroundings } from '@flotilla/format';
import type { HeaderEdits } from '@flotilla/format';

/** `outer`: what the level around has for the filter, undefined for nothing. */
export type CompilePerFilterConfig = (filterName: string, config: Any, outer: unknown) => unknown;

/** What compiling takes at every level. */
export interface ScopeTools {
  readonly compilePerFilterConfig: CompilePerFilterConfig;
  readonly surroundings: Surroundings;
}

/**
 * What the levels of a route configuration hand down: header edits in their order, and the most specific
 * configuration of each filter. Table, virtual host, route and weighted cluster each open an inner scope.
 */
export class Scope {
  readonly edits: HeaderEdits;
  readonly perFilter: ReadonlyMap<string, unknown>;
  readonly #levels: readonly HeaderEdits[];
  readonly #mostSpecificWins: boolean;
  readonly #tools: ScopeTools;

  private constructor(
    levels: readonly HeaderEdits[],
    perFilter: ReadonlyMap<string, unknown>,
    mostSpecificWins: boolean,
    tools: ScopeTools,
  ) {
    this.#levels = levels;
    this.perFilter = perFilter;
    this.#mostSpecificWins = mostSpecificWins;
    this.#tools = tools;
    // The edit that runs last wins. Envoy runs the most specific first, unless told otherwise.
    this.edits = chainHeaderEdits(mostSpecificWins ? levels : levels.toReversed());
  }

  /** The scope around the table. `mostSpecificWins` is the table's `most_specific_header_mutations_wins`. */
  static root(mostSpecificWins: boolean, tools: ScopeTools): Scope {
    return new Scope([], new Map(), mostSpecificWins, tools);
  }

  get surroundings(): Surroundings {
    return this.#tools.surroundings;
  }

  /** Opens the next level. */
  inner(edits: HeaderEdits, perFilter: Readonly<Record<string, Any>>, path: string): Scope {
    const hasEdits = edits.request !== null || edits.response !== null;
    return new Scope(
      hasEdits ? [...this.#levels, edits] : this.#levels,
      this.#merged(perFilter, path),
      this.#mostSpecificWins,
      this.#tools,
    );
  }

  #merged(configs: Readonly<Record<string, Any>>, path: string): ReadonlyMap<string, unknown> {
    const names = Object.keys(configs);
    if (names.length === 0) return this.perFilter;
    const merged = new Map(this.perFilter);
    for (const name of names) {
      const config = configs[name];
      if (config === undefined) continue;
      const field = `${path === '' ? '' : `${path}.`}typed_per_filter_config["${name}"]`;
      merged.set(
        name,
        inField(field, () => this.#tools.compilePerFilterConfig(name, config, this.perFilter.get(name))),
      );
    }
    return merged;
  }
}
