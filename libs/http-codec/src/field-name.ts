import { limit } from '@flotilla/runtime';

/** What the parser must know about a field beyond its text. */
export const FieldKind = {
  plain: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  /** `keep-alive` and `proxy-connection`: hop-by-hop, of no further use. */
  hopByHop: 5,
  upgrade: 6,
  te: 7,
  expect: 8,
} as const;

export interface FieldName {
  /** Lower-case. One string object per name, so that comparing names compares pointers. */
  readonly name: string;
  readonly kind: number;
}

const SPECIAL: Readonly<Record<string, number>> = {
  host: FieldKind.host,
  'content-length': FieldKind.contentLength,
  'transfer-encoding': FieldKind.transferEncoding,
  connection: FieldKind.connection,
  'keep-alive': FieldKind.hopByHop,
  'proxy-connection': FieldKind.hopByHop,
  upgrade: FieldKind.upgrade,
  te: FieldKind.te,
  expect: FieldKind.expect,
};

const COMMON = [
  ...Object.keys(SPECIAL),
  ...'accept accept-encoding accept-language accept-ranges age authorization cache-control'.split(' '),
  ...'content-encoding content-type content-disposition cookie set-cookie date etag expires'.split(' '),
  ...'if-modified-since if-none-match last-modified location origin pragma range referer server'.split(' '),
  ...'trailer user-agent vary via www-authenticate end-user traceparent tracestate b3'.split(' '),
  ...'x-request-id x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-client-cert'.split(' '),
  ...'x-envoy-peer-metadata x-envoy-peer-metadata-id x-envoy-attempt-count x-envoy-external-address'.split(' '),
  ...'x-envoy-expected-rq-timeout-ms x-envoy-upstream-service-time x-envoy-decorator-operation'.split(' '),
  ...'x-envoy-internal x-envoy-original-path x-b3-traceid x-b3-spanid x-b3-parentspanid x-b3-sampled'.split(' '),
  ...'grpc-status grpc-message grpc-timeout x-powered-by'.split(' '),
];

// Names are learned as they come, up to a bound: what is past it is lowered each time.
const MAX_KNOWN = limit({
  name: 'http.learned-names',
  what: 'field names whose lower case is remembered',
  default: 2_048,
  unit: 'count',
  past: 'further ones are lowered each time',
});
const MAX_LEARNED_LENGTH = 64;
const known = new Map<string, FieldName>();

for (const name of COMMON) {
  const entry = { name, kind: SPECIAL[name] ?? FieldKind.plain };
  known.set(name, entry);
  known.set(
    name.replace(/(^|-)[a-z]/g, (match) => match.toUpperCase()),
    entry,
  );
}

/** The entry of a field name that came off the wire, in any case. It must be a token already. */
export function fieldNameOf(raw: string): FieldName {
  return known.get(raw) ?? learn(raw);
}

function learn(raw: string): FieldName {
  const lower = raw.toLowerCase();
  const entry = known.get(lower) ?? { name: lower, kind: FieldKind.plain };
  if (known.size < MAX_KNOWN && raw.length <= MAX_LEARNED_LENGTH) {
    // A slice of a head would keep the whole head alive: the key is a copy of its own.
    known.set(Buffer.from(raw, 'latin1').toString('latin1'), entry);
  }
  return entry;
}
