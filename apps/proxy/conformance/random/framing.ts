import type { Random } from '@flotilla/runtime';
import type { Fields } from '../values.ts';
import { chance, pick } from './pick.ts';

/*
 * Messages of raw bytes with one fault at most: which of two faults is told first is nobody's promise. Left out is what
 * our proxy means to refuse and Envoy lets through: see known-differences.yaml.
 */
interface Part {
  readonly good: readonly string[];
  readonly odd: readonly string[];
}

const METHOD: Part = { good: ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD'], odd: ['G@T', 'GET(', ''] };
const TARGET: Part = {
  good: ['/', '/a?b=c', '/a%20b', '/%', '/a|b', 'http://other.test/x', '/a{b}', '//', '/?'],
  odd: ['*', 'a', '/\u00e9', ''],
};
const VERSION: Part = { good: ['HTTP/1.1'], odd: ['HTTP/1.3', 'HTTP/x', 'HTTPS/1.1', 'HTTP/11.1', 'HTTP'] };
const FIELD: Part = {
  good: ['x-a: b', 'x-a:b', 'x-a:  b  ', 'X-Upper: B', 'x-empty:', 'te: trailers', 'accept: */*', 'cookie: a=b'],
  odd: ['x a: b', 'x-a : b', ': b', 'x-a', 'x-(a): b', 'x-a: \u00e9', 'connection: x-a', 'x-forwarded-for: 1.2.3.4'],
};
const LENGTH: Part = { good: ['5', ' 5', '5 '], odd: ['-5', '5a', 'a', '+5', '5, 5', '99999999999999999999', '5 5'] };
const CODING: Part = {
  good: ['chunked', 'Chunked', ' chunked '],
  odd: ['gzip, chunked', 'gzip', 'identity', 'chunked, chunked', 'x', 'chunked;a', '"chunked"'],
};
const CHUNKS: Part = {
  good: [
    '5\r\nhello\r\n0\r\n\r\n',
    '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n',
    '5;a=b\r\nhello\r\n0\r\n\r\n',
    '05\r\nhello\r\n000\r\n\r\n',
    '0\r\n\r\n',
    '5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n',
  ],
  odd: [
    'x\r\nhello\r\n0\r\n\r\n',
    '-5\r\nhello\r\n0\r\n\r\n',
    '0x5\r\nhello\r\n0\r\n\r\n',
    'fffffffffffffffff\r\nhello\r\n0\r\n\r\n',
    ';a\r\nhello\r\n0\r\n\r\n',
    '5\r\nhello\r\n0\r\nx t: 1\r\n\r\n',
  ],
};

const FAULTS = ['none', 'none', 'method', 'target', 'version', 'field', 'length', 'coding', 'chunks', 'both'] as const;
type Fault = (typeof FAULTS)[number];

/** A request of raw bytes. */
export function randomRequestBytes(random: Random): Fields {
  const fault = pick(random, FAULTS);
  const choose = (part: Part, kind: Fault): string => pick(random, fault === kind ? part.odd : part.good);
  const method = choose(METHOD, 'method');
  const line = `${method} ${choose(TARGET, 'target')} ${choose(VERSION, 'version')}`;
  const { lines, body } = randomBody(random, fault, choose);
  const fields = shuffled(random, ['host: web.test', ...randomFields(random, fault), ...lines]);
  const raw = `${[line, ...fields, 'connection: close'].join('\r\n')}\r\n\r\n${body}`;
  return {
    rows: ['V21'],
    hcm: { request_timeout: '0.4s', request_headers_timeout: '0.4s' },
    client: [{ raw, ...(method === 'HEAD' ? { of: 'HEAD' } : {}) }, { read_close: true }],
  };
}

const STATUS: Part = {
  good: ['200 OK', '204 No Content', '304 Not Modified', '404 Not Found', '500 x', '200', '200 ', '301 Moved'],
  odd: ['abc', '-200 OK', '2x0 OK', ''],
};

/** A response of raw bytes, now and then cut off. */
export function randomResponseBytes(random: Random): Fields {
  const fault = pick(random, FAULTS);
  const choose = (part: Part, kind: Fault): string => pick(random, fault === kind ? part.odd : part.good);
  const status = choose(STATUS, 'method');
  const { lines, body } = /^(204|304)/.test(status) ? { lines: [], body: '' } : randomBody(random, fault, choose);
  // Fields that Connection names go no further here, as they do through Envoy.
  const onwards = randomFields(random, fault).filter((field) => !field.startsWith('connection:'));
  const fields = shuffled(random, [...onwards, ...lines]);
  const whole = `${[`HTTP/1.1 ${status}`, ...fields].join('\r\n')}\r\n\r\n${body}`;
  const raw = fault === 'none' && chance(random, 0.3) ? whole.slice(0, Math.floor(random() * whole.length)) : whole;
  return { rows: ['V21'], upstreams: { web: { answers: [{ raw, then: 'close' }] } }, client: [{ get: '/' }] };
}

function randomFields(random: Random, fault: Fault): string[] {
  const fields = FIELD.good.filter(() => chance(random, 0.15));
  return fault === 'field' ? [...fields, pick(random, FIELD.odd)] : fields;
}

function randomBody(
  random: Random,
  fault: Fault,
  choose: (part: Part, kind: Fault) => string,
): { readonly lines: readonly string[]; readonly body: string } {
  const kinds = ['none', 'length', 'chunks'] as const;
  const kind =
    fault === 'length' ? 'length' : fault === 'coding' || fault === 'chunks' ? 'chunks' : pick(random, kinds);
  const coding = `transfer-encoding: ${choose(CODING, 'coding')}`;
  if (fault === 'both') return { lines: ['content-length: 5', coding], body: pick(random, CHUNKS.good) };
  if (kind === 'none') return { lines: [], body: '' };
  if (kind === 'length') return { lines: [`content-length: ${choose(LENGTH, 'length')}`], body: 'hello' };
  return { lines: [coding], body: choose(CHUNKS, 'chunks') };
}

function shuffled<T>(random: Random, values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, key: random() }))
    .sort((left, right) => left.key - right.key)
    .map(({ value }) => value);
}
