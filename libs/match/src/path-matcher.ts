import { FlotillaError } from '@flotilla/runtime';
import { compileRegex } from './regex.ts';
import { lowerAscii } from './string-matcher.ts';
import { parseUriTemplate } from './uri-template.ts';

/** A rule for a request's path (Envoy's `RouteMatch.path_specifier`). */
export type PathMatch =
  | { readonly kind: 'prefix'; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: 'exact'; readonly value: string; readonly ignoreCase?: boolean }
  /** `/api` matches `/api` and `/api/x`, not `/apis`. */
  | { readonly kind: 'separated-prefix'; readonly value: string; readonly ignoreCase?: boolean }
  /** A template such as `/a/{x}/**`; always case sensitive. */
  | { readonly kind: 'template'; readonly value: string }
  /** The whole path matches, RE2; always case sensitive. */
  | { readonly kind: 'regex'; readonly value: string };

/** Decides from a path without query and fragment (`pathOnly`). */
export type PathPredicate = (path: string) => boolean;

/** Compiles the rule. Throws `invalid` for a malformed regex or template, or a separated prefix with `?`, `#` or a slash at its end. */
export function compilePathMatcher(spec: PathMatch): PathPredicate {
  if (spec.kind === 'regex') return compileRegex(spec.value);
  if (spec.kind === 'template') return compileRegex(parseUriTemplate(spec.value).regex);
  if (spec.kind === 'separated-prefix' && /[?#]|\/$/.test(spec.value)) {
    throw new FlotillaError('invalid', `path-separated prefix "${spec.value}" may not hold ? or #, nor end in a slash`);
  }
  if (spec.ignoreCase !== true) return compileCaseSensitive(spec.kind, spec.value);
  const matches = compileCaseSensitive(spec.kind, lowerAscii(spec.value));
  return (path) => matches(lowerAscii(path));
}

function compileCaseSensitive(kind: 'prefix' | 'exact' | 'separated-prefix', value: string): PathPredicate {
  switch (kind) {
    case 'prefix':
      return value === '/' ? startsWithSlash : (path) => path.startsWith(value);
    case 'exact':
      return (path) => path === value;
    case 'separated-prefix':
      return (path) =>
        path.startsWith(value) && (path.length === value.length || path.charCodeAt(value.length) === SLASH);
  }
}

const SLASH = 47;

function startsWithSlash(path: string): boolean {
  return path.charCodeAt(0) === SLASH;
}

/** Cuts query and fragment off. */
export function pathOnly(pathWithQuery: string): string {
  const end = pathEnd(pathWithQuery);
  return end === pathWithQuery.length ? pathWithQuery : pathWithQuery.slice(0, end);
}

/** Where query or fragment begin, or the length. */
export function pathEnd(pathWithQuery: string): number {
  const query = pathWithQuery.indexOf('?');
  const fragment = pathWithQuery.indexOf('#');
  if (query === -1) return fragment === -1 ? pathWithQuery.length : fragment;
  return fragment === -1 || query < fragment ? query : fragment;
}
