import { ConfigSchema } from '@flotilla/wire/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js';
import { FilterState } from '@flotilla/stream';
import { compileFilterStateValues, type SetFilterState } from '@flotilla/format';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter } from '../../ports/http-filter.ts';
import { type FilterConfig, type HttpFilterScope, messageOf, type RouteFilterScope } from './filter-config.ts';

/** Notes texts down on each request, by formats over it. */
export function compileSetFilterStateFilter(
  name: string,
  typed: FilterConfig,
  { ctx }: HttpFilterScope,
): FilterFactory {
  const own = compileValues(typed, ctx);
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
export function compileSetFilterStateRoute(typed: FilterConfig, { ctx }: RouteFilterScope): SetFilterState {
  return compileValues(typed, ctx);
}

function compileValues(typed: FilterConfig, { surroundings }: RouteFilterScope['ctx']): SetFilterState {
  const { onRequestHeaders } = messageOf(typed, ConfigSchema);
  return compileFilterStateValues(onRequestHeaders, 'on_request_headers', surroundings);
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
