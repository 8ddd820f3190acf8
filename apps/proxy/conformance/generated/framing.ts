import type { Random } from '@flotilla/runtime';
import type { Fields } from '../scenario.ts';
import { chance, pick } from './pick.ts';

// Left out is what our proxy means to refuse and Envoy lets through: see known-differences.yaml.
const TARGETS = ['/', '/a?b=c', '/a%20b', '*', 'a', '/%', '/a|b', 'http://other.test/x', '/\u00e9', '/a{b}'];
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD', 'G@T', 'GET('];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.3', 'HTTP/x', 'HTTPS/1.1'];
const FIELDS = [
  'x-a: b',
  'x-a:b',
  'x-a:  b  ',
  'X-Upper: B',
  'x-empty:',
  'x a: b',
  'x-a : b',
  ': b',
  'x-a',
  'x-(a): b',
  'x-a: \u00e9',
  'connection: x-a',
  'connection: keep-alive',
  'te: trailers',
  'accept: */*',
  'cookie: a=b',
  'x-forwarded-for: 1.2.3.4',
];
const LENGTHS = ['5', '5', '5', '5', '-5', '5a', 'a', ' 5', '+5', '5, 5', '99999999999999999999'];
const CODINGS = [
  'chunked',
  'chunked',
  'chunked',
  'Chunked',
  'gzip, chunked',
  'gzip',
  'identity',
  'chunked, chunked',
  'x',
];
const CHUNKS = [
  '5\r\nhello\r\n0\r\n\r\n',
  '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n',
  '5;a=b\r\nhello\r\n0\r\n\r\n',
  '05\r\nhello\r\n000\r\n\r\n',
  '0\r\n\r\n',
  'x\r\nhello\r\n0\r\n\r\n',
  '-5\r\nhello\r\n0\r\n\r\n',
  '0x5\r\nhello\r\n0\r\n\r\n',
  '5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n',
  'fffffffffffffffff\r\nhello\r\n0\r\n\r\n',
];

/** A request of raw bytes: legal, borderline or malformed. */
export function randomRequestBytes(random: Random): Fields {
  const method = pick(random, METHODS);
  const fields = ['host: web.test', ...FIELDS.filter(() => chance(random, 0.1))];
  const { lines, body } = randomBody(random);
  const head = [
    `${method} ${pick(random, TARGETS)} ${pick(random, VERSIONS)}`,
    ...shuffled(random, [...fields, ...lines]),
  ];
  return {
    rows: ['V21'],
    hcm: { request_timeout: '0.4s', request_headers_timeout: '0.4s' },
    client: [
      {
        raw: `${[...head, 'connection: close'].join('\r\n')}\r\n\r\n${body}`,
        ...(method === 'HEAD' ? { of: 'HEAD' } : {}),
      },
      { read_close: true },
    ],
  };
}

const STATUSES = ['200 OK', '204 No Content', '304 Not Modified', '404 Not Found', '500 x', 'abc', '200', '301 Moved'];
const RESPONSE_FIELDS = FIELDS.filter((field) => !field.startsWith('connection'));

/** A response of raw bytes. */
export function randomResponseBytes(random: Random): Fields {
  const fields = RESPONSE_FIELDS.filter(() => chance(random, 0.06));
  const status = pick(random, STATUSES);
  const isEmpty = /^(204|304)/.test(status);
  const { lines, body } = isEmpty ? { lines: [], body: '' } : randomBody(random);
  const cut = chance(random, 0.15) ? Math.floor(random() * body.length) : body.length;
  const raw = `${[`HTTP/1.1 ${status}`, ...shuffled(random, [...fields, ...lines])].join('\r\n')}\r\n\r\n${body.slice(0, cut)}`;
  return {
    rows: ['V21'],
    upstreams: { web: { answers: [{ raw, then: 'close' }] } },
    client: [{ get: '/' }],
  };
}

function randomBody(random: Random): { readonly lines: readonly string[]; readonly body: string } {
  const length = `content-length: ${pick(random, LENGTHS)}`;
  const coding = `transfer-encoding: ${pick(random, CODINGS)}`;
  const kind = random();
  if (kind < 0.25) return { lines: [], body: '' };
  if (kind < 0.55) return { lines: [length], body: 'hello' };
  if (kind < 0.9) return { lines: [coding], body: pick(random, CHUNKS) };
  return { lines: [length, coding], body: pick(random, CHUNKS) };
}

function shuffled<T>(random: Random, values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, key: random() }))
    .sort((left, right) => left.key - right.key)
    .map(({ value }) => value);
}
