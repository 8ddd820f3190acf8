import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { Random } from '@flotilla/runtime';
import {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
  type RouteSchema,
  VirtualHostSchema,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { type RouteConfiguration, RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import type { StringMatcherSchema } from '@flotilla/wire/envoy/type/matcher/v3/string_pb.js';
import type { TestRequest } from './envoy.ts';

type StringMatchInit = MessageInitShape<typeof StringMatcherSchema>;
type RouteInit = MessageInitShape<typeof RouteSchema>;

const PATHS = ['/', '/a', '/a/', '/a/b', '/A', '/ab', '/a/b/c', '/b', '/b;v=1', '/b/c;v=1/d', '/a%20b', '/x.y', '//a'];
const QUERIES = ['', '', '?q=1', '?q=2&p=1', '?p', '?q=', '?qq=1', '?q=a%20b', '?q=1&q=2', '?=1&q', '?'];
const HEADER_VALUES = ['', '1', 'abc', 'ABC', '-5', '10', 'a,b', ' 7', 'abcabc', '1.5', '+3'];
const METHODS = ['GET', 'POST', 'PUT'];
const REGEXES = ['/a.*', '/[ab]', '/a/[^/]+', '.*', '/(a|ab)', '(?i)/A', '/b.*d', '[0-9]+', '(?:abc)+'];
const TEXTS = ['a', '/a', '1', 'abc', 'b', '', 'ABC', 'c'];
const HOSTS = [
  'a.com',
  'x.a.com',
  'y.x.a.com',
  'a.com:80',
  'a.org',
  'b.a',
  'A.COM',
  'q.b.a.com',
  '[::1]:80',
  'a',
  'zz',
];
const DOMAINS = ['a.com', '*.a.com', '*.x.a.com', 'a.*', 'x.a.*', '*a.com', 'a.com:80', '[::1]', 'a.org', 'b.*', '*'];

function pick<T>(random: Random, items: readonly [T, ...T[]] | readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

function chance(random: Random, probability: number): boolean {
  return random() < probability;
}

/** A table of many virtual hosts `h<n>.test`, each with its own random routes that answer with their own names. */
export function randomTable(random: Random, virtualHosts: number): RouteConfiguration {
  return create(RouteConfigurationSchema, {
    name: 'random',
    virtualHosts: Array.from({ length: virtualHosts }, (_, index) =>
      create(VirtualHostSchema, {
        name: `v${index}`,
        domains: [`h${index}.test`],
        routes: Array.from({ length: 1 + Math.floor(random() * 8) }, (_each, at) =>
          randomRoute(random, `v${index}r${at}`),
        ),
      }),
    ),
  });
}

/** A table whose virtual hosts are told apart by random domains. */
export function randomDomains(random: Random, ignorePort: boolean): RouteConfiguration {
  const domains = DOMAINS.filter(() => chance(random, 0.7));
  return create(RouteConfigurationSchema, {
    name: 'domains',
    ignorePortInHostMatching: ignorePort,
    virtualHosts: domains.map((domain, index) =>
      create(VirtualHostSchema, {
        name: `v${index}`,
        domains: [domain],
        routes: [direct(`d${index}`, { prefix: '/' })],
      }),
    ),
  });
}

/** A request that fits tables of `randomTable` now and then. */
export function randomRequest(random: Random, virtualHosts: number): TestRequest {
  const headers: [string, string][] = [];
  for (const name of ['x-a', 'x-b']) {
    if (chance(random, 0.5)) headers.push([name, pick(random, HEADER_VALUES)]);
    if (chance(random, 0.15)) headers.push([name, pick(random, HEADER_VALUES)]);
  }
  return {
    method: pick(random, METHODS),
    authority: `h${Math.floor(random() * virtualHosts)}.test`,
    path: pick(random, PATHS) + pick(random, QUERIES),
    headers,
  };
}

export function hostRequests(): TestRequest[] {
  return HOSTS.map((authority) => ({ method: 'GET', authority, path: '/', headers: [] }));
}

function direct(body: string, match: { readonly prefix: string }): RouteInit {
  return {
    name: body,
    match: { pathSpecifier: { case: 'prefix', value: match.prefix } },
    action: {
      case: 'directResponse',
      value: { status: 200, body: { specifier: { case: 'inlineString', value: body } } },
    },
  };
}

function randomRoute(random: Random, name: string): RouteInit {
  const headers = ['x-a', 'x-b', ':method', ':path', 'host'].filter(() => chance(random, 0.12));
  return {
    ...direct(name, { prefix: '/' }),
    match: create(RouteMatchSchema, {
      pathSpecifier: randomPath(random),
      ...(chance(random, 0.2) ? { caseSensitive: chance(random, 0.5) } : {}),
      headers: headers.map((each) => randomHeader(random, each)),
      queryParameters: chance(random, 0.25) ? [randomQuery(random)] : [],
      ...(chance(random, 0.1)
        ? { runtimeFraction: { defaultValue: { numerator: chance(random, 0.5) ? 0 : 100 } } }
        : {}),
    }),
  };
}

function randomPath(random: Random): NonNullable<MessageInitShape<typeof RouteMatchSchema>['pathSpecifier']> {
  switch (Math.floor(random() * 4)) {
    case 0:
      return { case: 'prefix', value: pick(random, [...PATHS, '']) };
    case 1:
      return { case: 'path', value: pick(random, PATHS) };
    case 2:
      return { case: 'safeRegex', value: { regex: pick(random, REGEXES.slice(0, 7)) } };
    default:
      return { case: 'pathSeparatedPrefix', value: pick(random, ['/a', '/a/b', '/b', '/A']) };
  }
}

function randomHeader(random: Random, name: string) {
  return create(HeaderMatcherSchema, {
    name,
    headerMatchSpecifier: randomHeaderRule(random),
    invertMatch: chance(random, 0.3),
    treatMissingHeaderAsEmpty: chance(random, 0.2),
  });
}

function randomHeaderRule(
  random: Random,
): NonNullable<MessageInitShape<typeof HeaderMatcherSchema>['headerMatchSpecifier']> {
  switch (Math.floor(random() * 4)) {
    case 0:
      return { case: 'presentMatch', value: chance(random, 0.7) };
    case 1:
      return { case: 'rangeMatch', value: { start: -10n, end: 10n } };
    case 2:
      return { case: undefined };
    default:
      return { case: 'stringMatch', value: randomString(random) };
  }
}

function randomQuery(random: Random) {
  const rule = random();
  return create(QueryParameterMatcherSchema, {
    name: pick(random, ['q', 'p']),
    queryParameterMatchSpecifier:
      rule < 0.2
        ? { case: undefined }
        : rule < 0.4
          ? { case: 'presentMatch', value: chance(random, 0.6) }
          : { case: 'stringMatch', value: randomString(random) },
  });
}

function randomString(random: Random): StringMatchInit {
  const text = pick(random, TEXTS);
  const ignoreCase = chance(random, 0.3);
  switch (Math.floor(random() * 5)) {
    case 0:
      return { matchPattern: { case: 'exact', value: text }, ignoreCase };
    case 1:
      return { matchPattern: { case: 'prefix', value: text || 'a' }, ignoreCase };
    case 2:
      return { matchPattern: { case: 'suffix', value: text || 'a' }, ignoreCase };
    case 3:
      return { matchPattern: { case: 'contains', value: text || 'a' }, ignoreCase };
    default:
      return { matchPattern: { case: 'safeRegex', value: { regex: pick(random, REGEXES) } } };
  }
}
