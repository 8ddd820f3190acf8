import { ConfigSchema } from '@flotilla/wire/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js';
import { FilterState } from '@flotilla/stream';
import { compileFilterStateValues, type SetFilterState } from '../../observe/set-filter-state.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter } from '../../ports/http-filter.ts';
import { type FilterConfig, messageOf } from './filter-config.ts';

/** Notes texts down on each request, by formats over it. */
export function compileSetFilterStateFilter(name: string, typed: FilterConfig): FilterFactory {
  const own = compileValues(typed);
  return {
    name,
    record: null,
    bind(perRoute) {
      const ofRoute = perRoute as SetFilterState | undefined; // made below
      const filter = new SetFilterStateFilter(ofRoute === undefined ? [own] : [own, ofRoute]);
      return () => filter;
    },
  };
}

/** What a route notes down after the filter's own. Throws `invalid`. */
export function compileSetFilterStateRoute(typed: FilterConfig): SetFilterState {
  return compileValues(typed);
}

function compileValues(typed: FilterConfig): SetFilterState {
  return compileFilterStateValues(messageOf(typed, ConfigSchema).onRequestHeaders, 'on_request_headers');
}

/** Holds no state of a request: one object serves all. */
class SetFilterStateFilter implements HttpFilter {
  readonly #steps: readonly SetFilterState[];

  constructor(steps: readonly SetFilterState[]) {
    this.#steps = steps;
  }

  onRequest({ info }: FilterStream): FilterVerdict {
    info.filterState ??= new FilterState(info.connection.filterState);
    for (const step of this.#steps) step(info.filterState, info);
    return 'continue';
  }
}
