import { isGrpcType } from '@flotilla/stream';
import {
  compileHeaderMatcher,
  compilePathMatcher,
  compileQueryParameterMatcher,
  type HeaderMatch,
  type HeaderValues,
  type PathMatch,
} from '@flotilla/match';
import type { HeaderList } from '@flotilla/http-codec';
import { UriTemplateMatchConfigSchema } from '@flotilla/wire/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js';
import type { HeaderMatcher, RouteMatch } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { fractionOf, headerMatchOf, inField, queryMatchOf, refuse, unpackValid } from '@flotilla/envoy';
import type { RoutableRequest } from './routable-request.ts';

/** Decides on everything but the path. */
export type RequestPredicate = (request: RoutableRequest, random: number) => boolean;

/** A `RouteMatch`, compiled: the path's rule apart, so that exact paths can go into a table. */
export interface CompiledMatch {
  /** `connect` takes CONNECT requests, and only those. */
  readonly path: PathMatch | { readonly kind: 'connect' };
  /** Decides from the path without query. */
  readonly matchesPath: (path: string) => boolean;
  /** Null when the path alone decides. */
  readonly matchesRest: RequestPredicate | null;
  /** What `matchesRest` consists of, for those who ask why a route was passed over. */
  readonly conditions: readonly Condition[];
}

/** One of the rules beside the path. */
export interface Condition {
  /** The field that holds it, from the match on: `headers[0] (x-user)`. */
  readonly field: string;
  readonly holds: RequestPredicate;
}

/** Compiles a `RouteMatch`. Throws `invalid`, naming the field, for what cannot be honoured. */
export function compileMatch(match: RouteMatch | undefined, path: string): CompiledMatch {
  if (match === undefined) return refuse(path, 'is missing');
  const pathRule = pathMatchOf(match, path);
  const conditions = conditionsOf(match, path);
  return {
    path: pathRule,
    matchesPath: pathRule.kind === 'connect' ? () => true : inField(path, () => compilePathMatcher(pathRule)),
    matchesRest: everyOf(conditions.map(({ holds }) => holds)),
    conditions,
  };
}

function pathMatchOf(match: RouteMatch, path: string): CompiledMatch['path'] {
  const ignoreCase = match.caseSensitive === false;
  const rule = match.pathSpecifier;
  switch (rule.case) {
    case 'prefix':
      return { kind: 'prefix', value: rule.value, ignoreCase };
    case 'path':
      return { kind: 'exact', value: rule.value, ignoreCase };
    case 'pathSeparatedPrefix':
      return { kind: 'separated-prefix', value: rule.value, ignoreCase };
    case 'safeRegex':
      return { kind: 'regex', value: rule.value.regex };
    case 'connectMatcher':
      return { kind: 'connect' };
    case 'pathMatchPolicy': {
      const { name, typedConfig } = rule.value;
      const config = typedConfig === undefined ? undefined : unpackValid(typedConfig, UriTemplateMatchConfigSchema);
      if (config === undefined) return refuse(`${path}.path_match_policy`, `"${name}" is not supported`);
      return { kind: 'template', value: config.pathTemplate };
    }
    case undefined:
      return refuse(path, 'must hold a path specifier');
  }
}

const NO_CONDITIONS: readonly Condition[] = [];

function conditionsOf(match: RouteMatch, path: string): readonly Condition[] {
  const conditions: Condition[] = [];
  const add = (field: string, holds: RequestPredicate): void => void conditions.push({ field, holds });
  if (match.runtimeFraction !== undefined) {
    const fraction = fractionOf(match.runtimeFraction.defaultValue);
    if (fraction < 1) add('runtime_fraction', (_request, random) => random < fraction);
  }
  compileHeaderRules(match.headers, `${path}.headers`).forEach((holds, index) => {
    add(`headers[${index}] (${match.headers[index]?.name ?? ''})`, holds);
  });
  match.queryParameters.forEach((matcher, index) => {
    const field = `${path}.query_parameters[${index}]`;
    const matches = inField(field, () => compileQueryParameterMatcher(queryMatchOf(matcher, field)));
    add(`query_parameters[${index}] (${matcher.name})`, (request) => matches(request.path));
  });
  const { presented, validated } = match.tlsContext ?? {};
  if (presented !== undefined) {
    add('tls_context.presented', ({ clientCertificate }) => presented === (clientCertificate !== null));
  }
  if (validated !== undefined) {
    add('tls_context.validated', ({ clientCertificate }) => validated === (clientCertificate === 'validated'));
  }
  if (match.grpc !== undefined) add('grpc', (request) => isGrpcType(request.headers.get('content-type')));
  return conditions.length === 0 ? NO_CONDITIONS : conditions;
}

/** Compiles header rules, one predicate each; pseudo headers read the request line. */
export function compileHeaderRules(matchers: readonly HeaderMatcher[], path: string): RequestPredicate[] {
  return matchers.map((matcher, index) => {
    const spec = headerMatchOf(matcher, `${path}[${index}]`);
    return inField(`${path}[${index}]`, () => compileHeaderRule(spec));
  });
}

function compileHeaderRule(spec: HeaderMatch): RequestPredicate {
  const matches = compileHeaderMatcher(spec);
  switch (spec.name) {
    case ':path':
      return (request) => matches(request.path);
    case ':method':
      return (request) => matches(request.method);
    case ':authority':
      return (request) => matches(request.authority);
    case ':scheme':
      return (request) => matches(request.scheme);
    default: {
      const { name } = spec;
      return (request) => matches(headerValues(request.headers, name));
    }
  }
}

/** All values of a header in the form that matchers take. */
export function headerValues(headers: HeaderList, name: string): HeaderValues {
  const values = headers.getAll(name);
  return values.length > 1 ? values : values[0];
}

function everyOf(predicates: readonly RequestPredicate[]): RequestPredicate | null {
  const [first, second] = predicates;
  if (first === undefined) return null;
  if (second === undefined) return first;
  return (request, random) => {
    for (const matches of predicates) if (!matches(request, random)) return false;
    return true;
  };
}
