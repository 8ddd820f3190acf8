import { compileStringMatcher, type HeaderMatch, type QueryParameterMatch, type StringMatch } from '@flotilla/match';
import type { HeaderMatcher, QueryParameterMatcher } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import type { StringMatcher } from '@flotilla/wire/envoy/type/matcher/v3/string_pb.js';
import { inField, refuse } from './field.ts';

/** Envoy's `StringMatcher` as a matcher spec. Throws `invalid` when it holds no pattern or an extension. */
export function stringMatchOf(matcher: StringMatcher | undefined, path: string): StringMatch {
  const pattern = matcher?.matchPattern;
  switch (pattern?.case) {
    case 'exact':
    case 'prefix':
    case 'suffix':
    case 'contains':
      return { kind: pattern.case, value: pattern.value, ignoreCase: matcher?.ignoreCase === true };
    case 'safeRegex':
      return { kind: 'regex', value: pattern.value.regex };
    case 'custom':
      return refuse(`${path}.custom`, 'is not supported');
    case undefined:
      return refuse(path, 'must hold a match pattern');
  }
}

/** "Any of these" for texts. Throws `invalid` as `stringMatchOf` does, or for a malformed expression. */
export function compileStringMatchers(matchers: readonly StringMatcher[], path: string): (text: string) => boolean {
  const compiled = matchers.map((matcher, index) => {
    const field = `${path}[${index}]`;
    return inField(field, () => compileStringMatcher(stringMatchOf(matcher, field)));
  });
  return (text) => compiled.some((matches) => matches(text));
}

/** Envoy's `HeaderMatcher` as a matcher spec; `host` means the authority. */
export function headerMatchOf(matcher: HeaderMatcher, path: string): HeaderMatch {
  if (matcher.name === '') refuse(`${path}.name`, 'is empty');
  const name = matcher.name.toLowerCase();
  return {
    name: name === 'host' ? ':authority' : name,
    value: headerValueOf(matcher, path),
    invert: matcher.invertMatch,
    treatMissingAsEmpty: matcher.treatMissingHeaderAsEmpty,
  };
}

function headerValueOf({ headerMatchSpecifier: rule }: HeaderMatcher, path: string): HeaderMatch['value'] {
  switch (rule.case) {
    case 'stringMatch':
      return { kind: 'string', match: stringMatchOf(rule.value, `${path}.string_match`) };
    case 'exactMatch':
      // Envoy takes an empty exact value as "any value".
      if (rule.value === '') return { kind: 'present', present: true };
      return { kind: 'string', match: { kind: 'exact', value: rule.value } };
    case 'prefixMatch':
      return { kind: 'string', match: { kind: 'prefix', value: rule.value } };
    case 'suffixMatch':
      return { kind: 'string', match: { kind: 'suffix', value: rule.value } };
    case 'containsMatch':
      return { kind: 'string', match: { kind: 'contains', value: rule.value } };
    case 'safeRegexMatch':
      return { kind: 'string', match: { kind: 'regex', value: rule.value.regex } };
    case 'rangeMatch':
      return { kind: 'range', start: Number(rule.value.start), end: Number(rule.value.end) };
    case 'presentMatch':
      return { kind: 'present', present: rule.value };
    case undefined:
      return { kind: 'present', present: true };
  }
}

/** Envoy's `QueryParameterMatcher` as a matcher spec. */
export function queryMatchOf(matcher: QueryParameterMatcher, path: string): QueryParameterMatch {
  const rule = matcher.queryParameterMatchSpecifier;
  switch (rule.case) {
    case 'stringMatch':
      return { name: matcher.name, value: stringMatchOf(rule.value, `${path}.string_match`) };
    case 'presentMatch':
      return { name: matcher.name, value: { kind: 'present', present: rule.value } };
    case undefined:
      return { name: matcher.name, value: null };
  }
}
