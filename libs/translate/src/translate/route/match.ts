import type { HTTPMatchRequest, StringMatch } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import type {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import type { StringMatcherSchema } from '@flotilla/wire/envoy/type/matcher/v3/string_pb.js';
import { compareText } from '../../mesh/config.ts';
import type { Init } from '../protobuf.ts';

type HeaderMatcher = Init<typeof HeaderMatcherSchema>;

/** A match of a VirtualService as Envoy's. No match at all takes every request. */
export function routeMatch(match: HTTPMatchRequest | null): Init<typeof RouteMatchSchema> {
  return {
    ...pathSpecifier(match?.uri),
    ...(match?.ignoreUriCase === true ? { caseSensitive: false } : {}),
    headers: match === null ? [] : headerMatchers(match),
    queryParameters: entriesOf(match?.queryParams).map(([name, value]) => queryMatcher(name, value)),
  };
}

/** Nothing can come after it: it takes every request. */
export function isCatchAll(match: HTTPMatchRequest | null): boolean {
  if (match === null) return true;
  const { matchType } = match.uri ?? {};
  const isAnyPath =
    matchType?.case === undefined ||
    (matchType.case === 'prefix' && matchType.value === '/') ||
    (matchType.case === 'regex' && (matchType.value === '.*' || matchType.value === '/.*'));
  return isAnyPath && headerMatchers(match).length === 0 && entriesOf(match.queryParams).length === 0;
}

function pathSpecifier(uri: StringMatch | undefined): Init<typeof RouteMatchSchema> {
  const { case: kind, value } = uri?.matchType ?? { case: undefined };
  switch (kind) {
    case 'exact':
      return { pathSpecifier: { case: 'path', value } };
    case 'regex':
      return { pathSpecifier: { case: 'safeRegex', value: { regex: value } } };
    case 'prefix':
      return { pathSpecifier: { case: 'prefix', value } };
    case undefined:
      return { pathSpecifier: { case: 'prefix', value: '/' } };
  }
}

function headerMatchers(match: HTTPMatchRequest): HeaderMatcher[] {
  const pseudo: [string, StringMatch | undefined][] = [
    [':scheme', match.scheme],
    [':method', match.method],
    [':authority', match.authority],
  ];
  return [
    ...entriesOf(match.headers).map(([name, value]) => headerMatcher(name, value)),
    ...entriesOf(match.withoutHeaders).map(([name, value]) => ({
      ...headerMatcher(name, value),
      invertMatch: true,
      // Absent is not equal: a request without the header passes the negation.
      ...(isPresence(value) ? {} : { treatMissingHeaderAsEmpty: true }),
    })),
    ...pseudo.flatMap(([name, value]) => (value === undefined ? [] : [headerMatcher(name, value)])),
  ];
}

function headerMatcher(name: string, match: StringMatch): HeaderMatcher {
  if (isPresence(match)) return { name, headerMatchSpecifier: { case: 'presentMatch', value: true } };
  return { name, headerMatchSpecifier: { case: 'stringMatch', value: stringMatcher(match) } };
}

function queryMatcher(name: string, match: StringMatch): Init<typeof QueryParameterMatcherSchema> {
  if (isPresence(match)) return { name, queryParameterMatchSpecifier: { case: 'presentMatch', value: true } };
  return { name, queryParameterMatchSpecifier: { case: 'stringMatch', value: stringMatcher(match) } };
}

/** An empty match asks only whether there is such a value. */
function isPresence(match: StringMatch): boolean {
  const { matchType } = match;
  return matchType.case === undefined || (matchType.case === 'regex' && matchType.value === '*');
}

export function stringMatcher(match: StringMatch): Init<typeof StringMatcherSchema> {
  const { matchType } = match;
  switch (matchType.case) {
    case 'exact':
      return { matchPattern: { case: 'exact', value: matchType.value } };
    case 'prefix':
      return { matchPattern: { case: 'prefix', value: matchType.value } };
    case 'regex':
      return { matchPattern: { case: 'safeRegex', value: { regex: matchType.value } } };
    case undefined:
      return { matchPattern: { case: 'prefix', value: '' } };
  }
}

function entriesOf(record: { [name: string]: StringMatch } | undefined): [string, StringMatch][] {
  return Object.entries(record ?? {}).sort(([a], [b]) => compareText(a, b));
}
