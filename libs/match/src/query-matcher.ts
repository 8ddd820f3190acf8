import { compileStringMatcher, type StringMatch } from './string-matcher.ts';

/** A rule for one query parameter (Envoy's `QueryParameterMatcher`). */
export interface QueryParameterMatch {
  readonly name: string;
  /** A rule for the value as it stands in the URL, not percent-decoded; null: the parameter is there. */
  readonly value: StringMatch | { readonly kind: 'present'; readonly present: boolean } | null;
}

/** Decides from a path with query. Only the first parameter of a name counts. */
export type QueryPredicate = (pathWithQuery: string) => boolean;

/** Compiles the rule. Throws `invalid` for a malformed regex. */
export function compileQueryParameterMatcher(spec: QueryParameterMatch): QueryPredicate {
  const { name, value } = spec;
  if (value === null) return (path) => queryParameterOf(path, name) !== undefined;
  if (value.kind === 'present') return (path) => (queryParameterOf(path, name) !== undefined) === value.present;
  const matches = compileStringMatcher(value);
  return (path) => {
    const found = queryParameterOf(path, name);
    return found !== undefined && matches(found);
  };
}

/** The raw value of the first parameter of that name; empty for `?name` without `=`; undefined when there is none. */
export function queryParameterOf(pathWithQuery: string, name: string): string | undefined {
  let start = pathWithQuery.indexOf('?') + 1;
  if (start === 0) return undefined;
  while (start < pathWithQuery.length) {
    const ampersand = pathWithQuery.indexOf('&', start);
    const end = ampersand === -1 ? pathWithQuery.length : ampersand;
    const equals = pathWithQuery.indexOf('=', start);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    if (nameEnd - start === name.length && pathWithQuery.startsWith(name, start)) {
      return nameEnd === end ? '' : pathWithQuery.slice(nameEnd + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}
