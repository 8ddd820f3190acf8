import type { Random } from '@flotilla/runtime';
import type { Fields } from '../values.ts';
import { chance, pick, several } from './pick.ts';

const WORDS = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'refused-stream',
  'retriable-4xx',
  'retriable-status-codes',
  'retriable-headers',
  'envoy-ratelimited',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
];

/** A random retry policy and circuit breaker, and an upstream that fails in random ways. */
export function randomRetries(random: Random): Fields {
  const policy: Fields = {
    retry_on: several(random, 3, () => pick(random, WORDS)).join(','),
    ...(chance(random, 0.7) ? { num_retries: 1 + Math.floor(random() * 3) } : {}),
    ...(chance(random, 0.5) ? { retriable_status_codes: [pick(random, [404, 429, 500])] } : {}),
    ...(chance(random, 0.5) ? { retriable_headers: [{ name: 'x-again', string_match: { exact: 'yes' } }] } : {}),
    retry_back_off: { base_interval: '0.001s' },
  };
  const isDead = chance(random, 0.05);
  const breaker: Fields = { circuit_breakers: { thresholds: [{ max_retries: pick(random, [0, 1, 3]) }] } };
  return {
    rows: ['V14', 'V15', 'V11'],
    routes: [{ name: 'it', match: { prefix: '/' }, route: { cluster: 'web', retry_policy: policy } }],
    ...(chance(random, 0.2) ? { clusters: { web: breaker } } : {}),
    upstreams: { web: isDead ? { kind: 'dead' } : { answers: several(random, 5, () => randomAnswer(random)) } },
    client: several(random, 2, () => randomRequest(random)),
  };
}

function randomAnswer(random: Random): Fields {
  switch (Math.floor(random() * 6)) {
    case 0:
      return { do: pick(random, ['reset', 'close']) };
    case 1:
      return {
        headers: ['content-type: application/grpc', `grpc-status: ${pick(random, [0, 1, 4, 8, 13, 14, 5])}`],
        body: '',
      };
    case 2:
      return { headers: [`x-again: ${pick(random, ['yes', 'no'])}`] };
    case 3:
      return { status: 429, ...(chance(random, 0.5) ? { headers: ['x-envoy-ratelimited: true'] } : {}) };
    case 4:
      return { raw: 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf', then: 'close' };
    default:
      return { status: pick(random, [200, 404, 409, 500, 502, 503, 504]) };
  }
}

function randomRequest(random: Random): Fields {
  const isGrpc = chance(random, 0.2);
  const headers = isGrpc ? ['content-type: application/grpc'] : [];
  if (chance(random, 0.2)) headers.push(`x-envoy-retry-on: ${pick(random, WORDS)}`);
  if (chance(random, 0.2)) headers.push(`x-envoy-max-retries: ${pick(random, ['0', '1', '2', 'x'])}`);
  return chance(random, 0.3) ? { post: '/', headers, body: 'hello' } : { get: '/', headers };
}
