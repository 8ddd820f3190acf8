import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';

/** Headers that tie the calls of one page view together (trace context) or say on whose behalf they are made. */
const FORWARDED: readonly string[] = [
  'x-request-id',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'b3',
  'traceparent',
  'tracestate',
  'x-cloud-trace-context',
  'grpc-trace-bin',
  'sw8',
  'x-ot-span-context',
  'user-agent',
  'cookie',
  'authorization',
  'jwt',
];
const FORWARDED_PREFIX = 'x-datadog-';

/** What of an incoming request's headers goes along on the calls made to answer it; `also` names further ones. */
export function forwardHeaders(incoming: IncomingHttpHeaders, also: readonly string[] = []): OutgoingHttpHeaders {
  const outgoing: OutgoingHttpHeaders = {};
  for (const name of [...FORWARDED, ...also]) {
    if (incoming[name] !== undefined) outgoing[name] = incoming[name];
  }
  for (const [name, value] of Object.entries(incoming)) {
    if (name.startsWith(FORWARDED_PREFIX)) outgoing[name] = value;
  }
  return outgoing;
}
