import type { Random } from '@flotilla/runtime';
import type { Fields } from '../values.ts';
import { chance, pick, several } from './pick.ts';

const NAMES = ['x-a', 'x-b', 'x-c', 'x-envoy-x'];
const VALUES = [
  'v',
  '',
  'two words',
  '%PROTOCOL%',
  '%REQ(x-a)%',
  '%REQ(x-a?x-b)%-%REQ(:METHOD)%',
  '%REQ(:PATH)%',
  '%ROUTE_NAME%',
  '%%',
  '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
  '%REQ(x-b):1%',
];
const ACTIONS = ['APPEND_IF_EXISTS_OR_ADD', 'OVERWRITE_IF_EXISTS_OR_ADD', 'ADD_IF_ABSENT', 'OVERWRITE_IF_EXISTS'];
const PATHS = ['/old', '/old/a', '/old/a/b?c=d', '/older', '/old?x', '/old/', '/OLD/a', '/o'];

/** Random header edits at three levels, with a rewrite, a redirect or neither. */
export function randomEdits(random: Random): Fields {
  return {
    rows: ['V32', 'A9', 'A10', 'A11'],
    route_config: randomLevel(random),
    virtual_hosts: [{ name: 'all', domains: ['*'], ...randomLevel(random), routes: [randomRoute(random)] }],
    client: several(random, 3, () => randomRequest(random)),
  };
}

function randomRoute(random: Random): Fields {
  const match = pick<Fields>(random, [
    { prefix: '/old' },
    { prefix: '/' },
    { prefix: '/old', case_sensitive: false },
    { path: '/old' },
  ]);
  if (chance(random, 0.3)) return { name: 'it', match, redirect: randomRedirect(random) };
  return { name: 'it', match, route: { cluster: 'web', ...randomRewrite(random) }, ...randomLevel(random) };
}

function randomRedirect(random: Random): Fields {
  return {
    ...(chance(random, 0.4) ? { host_redirect: pick(random, ['other.test', 'other.test:99']) } : {}),
    ...(chance(random, 0.3) ? { port_redirect: pick(random, [80, 443, 8080]) } : {}),
    ...pick<Fields>(random, [{}, { https_redirect: true }, { scheme_redirect: 'https' }]),
    ...pick<Fields>(random, [{}, { path_redirect: '/x' }, { path_redirect: '/x?y' }]),
    ...(chance(random, 0.3) ? { strip_query: true } : {}),
    response_code: pick(random, [
      'MOVED_PERMANENTLY',
      'FOUND',
      'SEE_OTHER',
      'TEMPORARY_REDIRECT',
      'PERMANENT_REDIRECT',
    ]),
  };
}

function randomRewrite(random: Random): Fields {
  return {
    ...pick<Fields>(random, [
      {},
      { prefix_rewrite: '/new' },
      { prefix_rewrite: '/' },
      { regex_rewrite: { pattern: { regex: '^/old/([a-z]+)' }, substitution: '/\\1' } },
    ]),
    ...pick<Fields>(random, [
      {},
      { host_rewrite_literal: 'other.test' },
      { host_rewrite_header: 'x-a' },
      { host_rewrite_literal: 'other.test', append_x_forwarded_host: true },
    ]),
  };
}

function randomLevel(random: Random): Fields {
  // Each name once: what several edits of one header do together has scenarios of its own.
  const additions = (): Fields[] =>
    NAMES.filter(() => chance(random, 0.4)).map((key) => ({
      header: { key, value: pick(random, VALUES) },
      append_action: pick(random, ACTIONS),
      ...(chance(random, 0.3) ? { keep_empty_value: true } : {}),
    }));
  return {
    ...(chance(random, 0.5) ? { request_headers_to_add: additions() } : {}),
    ...(chance(random, 0.3) ? { response_headers_to_add: additions() } : {}),
    ...(chance(random, 0.2) ? { request_headers_to_remove: [pick(random, NAMES)] } : {}),
    ...(chance(random, 0.2) ? { response_headers_to_remove: [pick(random, ['x-from', 'x-a'])] } : {}),
  };
}

function randomRequest(random: Random): Fields {
  const headers = NAMES.filter(() => chance(random, 0.4)).map(
    (name) => `${name}: ${pick(random, ['old', 'abc', '1'])}`,
  );
  return {
    [pick(random, ['get', 'delete'])]: pick(random, PATHS),
    headers,
    host: pick(random, ['web.test', 'web.test:80', 'web.test:8080']),
  };
}
