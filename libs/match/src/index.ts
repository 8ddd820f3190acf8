export {
  compileRegex,
  compileRegexSearch,
  compileRegexSubstitution,
  MAX_REGEX_PROGRAM_SIZE,
  type RegexSubstitutionSpec,
} from './regex.ts';
export { compileStringMatcher, lowerAscii, type StringMatch, type StringPredicate } from './string-matcher.ts';
export { compileHeaderMatcher, type HeaderMatch, type HeaderPredicate, type HeaderValues } from './header-matcher.ts';
export {
  compileQueryParameterMatcher,
  queryParameterOf,
  type QueryParameterMatch,
  type QueryPredicate,
} from './query-matcher.ts';
export { compilePathMatcher, pathOnly, pathEnd, type PathMatch, type PathPredicate } from './path-matcher.ts';
export { parseUriTemplate, type UriTemplate, uriTemplateSubstitution } from './uri-template.ts';
export { compileDomainTable, hostWithoutPort, type DomainLookup } from './domain-table.ts';
export {
  addressBits,
  addressText,
  compileCidrMatcher,
  compileCidrListMatcher,
  parseCidr,
  type CidrMatch,
  type AddressPredicate,
} from './cidr-matcher.ts';
