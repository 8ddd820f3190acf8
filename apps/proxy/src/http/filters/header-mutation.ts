import type { HeaderMutation as MutationProto } from '@flotilla/wire/envoy/config/common/mutation_rules/v3/mutation_rules_pb.js';
import {
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
  type Mutations,
} from '@flotilla/wire/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { refuse } from '@flotilla/envoy';
import { type HeaderEdit, compileAddition, compileRemoval, type Surroundings } from '@flotilla/format';
import { type FilterConfig, type HttpFilterScope, messageOf, type RouteFilterScope } from './filter-config.ts';

interface Edits {
  readonly request: readonly HeaderEdit[];
  readonly response: readonly HeaderEdit[];
}

/** What every level of a route has, the outermost first. */
interface RouteEdits {
  readonly levels: readonly Edits[];
}

/** Edits headers: the filter's own edits first, then those of the route's levels. */
export function compileHeaderMutationFilter(
  name: string,
  typed: FilterConfig,
  { ctx }: HttpFilterScope,
): FilterFactory {
  const proto = messageOf(typed, HeaderMutationSchema);
  const own = editsOf(proto.mutations, ctx.surroundings);
  const mostSpecificWins = proto.mostSpecificHeaderMutationsWins;
  return {
    name,
    record: null,
    bind(perRoute) {
      // Made by `compileHeaderMutationRoute`. What runs last wins.
      const levels = perRoute === undefined ? [] : (perRoute as RouteEdits).levels;
      const all = [own, ...(mostSpecificWins ? levels : levels.toReversed())];
      const request = all.flatMap((edits) => edits.request);
      const response = all.flatMap((edits) => edits.response);
      if (request.length === 0 && response.length === 0) return null;
      const filter = new HeaderMutationFilter({ request, response });
      return () => filter;
    },
  };
}

/** Compiles a `HeaderMutationPerRoute`. Throws `invalid`. */
export function compileHeaderMutationRoute(typed: FilterConfig, { ctx, outer }: RouteFilterScope): RouteEdits {
  const before = outer === undefined ? [] : (outer as RouteEdits).levels; // made here, for the level around
  const { mutations } = messageOf(typed, HeaderMutationPerRouteSchema);
  return { levels: [...before, editsOf(mutations, ctx.surroundings)] };
}

function editsOf(mutations: Mutations | undefined, surroundings: Surroundings): Edits {
  return {
    request: compileMutations(mutations?.requestMutations ?? [], 'mutations.request_mutations', surroundings),
    response: compileMutations(mutations?.responseMutations ?? [], 'mutations.response_mutations', surroundings),
  };
}

function compileMutations(mutations: readonly MutationProto[], path: string, surroundings: Surroundings): HeaderEdit[] {
  return mutations.map(({ action }, index) => {
    const field = `${path}[${index}]`;
    switch (action.case) {
      case 'append':
        return compileAddition(action.value, `${field}.append`, surroundings);
      case 'remove':
        return compileRemoval(action.value, `${field}.remove`);
      default:
        return refuse(field, 'says neither append nor remove');
    }
  });
}

/** Holds no state of a request: one object serves all. */
class HeaderMutationFilter implements HttpFilter {
  readonly #edits: Edits;

  constructor(edits: Edits) {
    this.#edits = edits;
  }

  onRequest({ request, info }: FilterStream): FilterVerdict {
    for (const edit of this.#edits.request) edit(request.headers, info);
    return 'continue';
  }

  onResponse({ info }: FilterStream, { headers, status }: ResponseHead): FilterVerdict {
    info.responseCode = status;
    info.responseHeaders = headers;
    for (const edit of this.#edits.response) edit(headers, info);
    return 'continue';
  }
}
