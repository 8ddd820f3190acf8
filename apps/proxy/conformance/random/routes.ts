import type { Random } from '@flotilla/runtime';
import type { Fields } from '../values.ts';
import { chance, pick, several } from './pick.ts';

const PATHS = ['/', '/a', '/a/', '/a/b', '/a/b/c', '/ab', '/A', '/b', '/a%20b', '/a.b', '/a/b?x', '/a?q=1'];
const QUERIES = ['', '?q=1', '?q', '?q=', '?p=x&q=2', '?q=1&q=2', '?Q=1'];
const VALUES = ['', 'a', 'A', 'abc', 'b', '5', '-3', '10', 'a,b'];
const TEXTS = ['a', 'A', 'abc', 'b', '1'];
const REGEXES = ['a.*', '[0-9]+', '.*b', '(a|b)+', 'a', '.*'];
const PATH_REGEXES = ['/a.*', '/[a-z]+', '/a/b', '.*', '/(a|b)', '/a/?'];
const DOMAINS = [
  '*',
  'web.test',
  '*.test',
  'web.*',
  'a.web.test',
  '*.web.test',
  '*-x.test',
  'WEB2.test',
  'web.test:80',
];
const HOSTS = [
  'web.test',
  'a.web.test',
  'b.web.test',
  'web.other',
  'q-x.test',
  'web2.test',
  'other',
  'web.test:80',
  'x.test',
];

/** A random route table with several virtual hosts, and requests that fit it now and then. */
export function randomRoutes(random: Random): Fields {
  const domains = DOMAINS.filter(() => chance(random, 0.4));
  const hosts = (domains.length === 0 ? ['*'] : domains).map((domain, index) => ({
    name: `h${index}`,
    domains: [domain],
    routes: several(random, 5, () => 0).map((_zero, at) => randomRoute(random, `r${index}-${at}`)),
  }));
  return {
    rows: ['V30'],
    virtual_hosts: hosts,
    client: several(random, 4, () => randomRequest(random)),
  };
}

function randomRoute(random: Random, name: string): Fields {
  return {
    name,
    match: {
      ...randomPath(random),
      ...(chance(random, 0.4) ? { headers: several(random, 2, () => randomHeader(random)) } : {}),
      ...(chance(random, 0.25) ? { query_parameters: [randomQuery(random)] } : {}),
    },
    direct_response: { status: 200, body: { inline_string: name } },
  };
}

function randomPath(random: Random): Fields {
  const path = (pick(random, PATHS).split('?')[0] ?? '').replace(/\/$/, '') || '/';
  const sensitive: Fields = chance(random, 0.2) ? { case_sensitive: chance(random, 0.5) } : {};
  switch (Math.floor(random() * 4)) {
    case 0:
      return { prefix: path, ...sensitive };
    case 1:
      return { path, ...sensitive };
    case 2:
      return { safe_regex: { regex: pick(random, PATH_REGEXES) } };
    default:
      return path === '/' ? { prefix: '/' } : { path_separated_prefix: path, ...sensitive };
  }
}

function randomHeader(random: Random): Fields {
  return {
    name: pick(random, ['x-a', 'x-b', ':method', ':path', ':authority']),
    ...randomHeaderRule(random),
    ...(chance(random, 0.3) ? { invert_match: true } : {}),
    ...(chance(random, 0.2) ? { treat_missing_header_as_empty: true } : {}),
  };
}

function randomHeaderRule(random: Random): Fields {
  switch (Math.floor(random() * 4)) {
    case 0:
      return { present_match: chance(random, 0.6) };
    case 1:
      return { range_match: { start: -5, end: 10 } };
    default:
      return { string_match: randomString(random) };
  }
}

function randomQuery(random: Random): Fields {
  const rule: Fields = chance(random, 0.4) ? { present_match: true } : { string_match: randomString(random) };
  return { name: pick(random, ['q', 'p']), ...rule };
}

function randomString(random: Random): Fields {
  const text = pick(random, TEXTS);
  const kind = pick(random, ['exact', 'prefix', 'suffix', 'contains', 'safe_regex']);
  if (kind === 'safe_regex') return { safe_regex: { regex: pick(random, REGEXES) } };
  return { [kind]: text, ...(chance(random, 0.3) ? { ignore_case: true } : {}) };
}

function randomRequest(random: Random): Fields {
  const headers: string[] = [];
  for (const name of ['x-a', 'x-b']) {
    if (chance(random, 0.5)) headers.push(`${name}: ${pick(random, VALUES)}`);
    if (chance(random, 0.15)) headers.push(`${name}: ${pick(random, VALUES)}`);
  }
  const path = (pick(random, PATHS).split('?')[0] ?? '/') + pick(random, QUERIES);
  return { [pick(random, ['get', 'get', 'delete', 'options'])]: path, host: pick(random, HOSTS), headers };
}
