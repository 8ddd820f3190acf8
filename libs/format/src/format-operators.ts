import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { queryParameterOf } from '@flotilla/match';
import { FlotillaError } from '@flotilla/runtime';
import { AccessLogType } from '@flotilla/wire/envoy/data/accesslog/v3/accesslog_pb.js';
import { CodeSchema } from '@flotilla/wire/google/rpc/code_pb.js';
import { valueAt } from '@flotilla/envoy';
import type { CelProgram } from './cel/cel-program.ts';
import { compileCel } from './cel/compile-cel.ts';
import { certificateOperators } from './certificate-operators.ts';
import {
  addressOf,
  bytesOf,
  field,
  type FilterMetadata,
  formatLongResponseFlags,
  formatResponseFlags,
  grpcStatusOf,
  logTypeOf,
  nonEmpty,
  portOf,
  requestHeader,
  requestHeadersBytes,
  responseHeadersBytes,
  type StreamInfo,
  type TriedHost,
} from '@flotilla/stream';
import { Structure, type ValueOrigin } from './log-text.ts';
import type { OperatorFactory, OperatorValue } from './operator.ts';
import type { Surroundings } from './surroundings.ts';
import { compileTimeFormat } from './time-format.ts';

const NEVER_THERE: readonly string[] = ['TRACE_ID', 'SPAN_ID', 'VIRTUAL_CLUSTER_NAME', 'ROUNDTRIP_DURATION'];
/** Envoy prints these empty. */
const ALWAYS_EMPTY: readonly string[] = [
  'CUSTOM_FLAGS',
  'DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID',
  'DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID',
  'UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID',
];

/**
 * Operators by name: Envoy's "command operators" of access logs and header values. Those that need what this
 * proxy does not record (bytes on the wire) are absent, and so refused by name.
 */
const OPERATORS: ReadonlyMap<string, OperatorFactory> = new Map<string, OperatorFactory>([
  ['START_TIME', startTime],
  ['PROTOCOL', plain((info) => info.protocol)],
  ['RESPONSE_CODE', plain((info) => info.responseCode)],
  ['LOCAL_REPLY_BODY', plain((info) => nonEmpty(info.localReplyBody))],
  ['RESPONSE_CODE_DETAILS', plain((info) => spaceless(info.responseCodeDetails))],
  ['CONNECTION_TERMINATION_DETAILS', plain((info) => info.connectionTerminationDetails)],
  ['RESPONSE_FLAGS', plain((info) => formatResponseFlags(info.responseFlags, info.protocol === null))],
  ['RESPONSE_FLAGS_LONG', plain((info) => formatLongResponseFlags(info.responseFlags))],
  ['REQUEST_HEADERS_BYTES', plain(requestHeadersBytes)],
  ['RESPONSE_HEADERS_BYTES', plain(responseHeadersBytes)],
  ['RESPONSE_TRAILERS_BYTES', plain((info) => bytesOf(info.responseTrailers))],
  ['BYTES_RECEIVED', plain((info) => info.bytesReceived)],
  ['BYTES_SENT', plain((info) => info.bytesSent)],
  ['DURATION', plain((info) => span(info.startMs, info.endMs))],
  ['REQUEST_DURATION', plain((info) => span(info.startMs, info.requestEndMs))],
  ['REQUEST_TX_DURATION', plain((info) => span(info.startMs, info.upstreamRequestEndMs))],
  ['RESPONSE_DURATION', plain((info) => span(info.startMs, info.upstreamResponseStartMs))],
  ['RESPONSE_TX_DURATION', plain((info) => span(info.upstreamResponseStartMs, info.endMs))],
  ['ROUTE_NAME', plain((info) => nonEmpty(info.routeName))],
  [
    'HOSTNAME',
    surrounding(
      ({ hostName }) =>
        () =>
          hostName,
    ),
  ],
  ['CONNECTION_ID', plain((info) => info.connection.id)],

  ['REQ', header((info, name) => requestHeader(info, name))],
  ['RESP', header((info, name) => (name === ':status' ? statusText(info) : field(info.responseHeaders, name)))],
  ['TRAILER', header((info, name) => field(info.responseTrailers, name))],
  ['REQ_WITHOUT_QUERY', header((info, name) => withoutQuery(requestHeader(info, name)))],
  ['PATH', path],
  ['QUERY_PARAM', queryParameter],
  ['GRPC_STATUS', grpcStatusText],
  ['GRPC_STATUS_NUMBER', plain(grpcStatusOf)],
  ['STREAM_ID', plain((info) => field(info.requestHeaders, 'x-request-id'))],
  ['UNIQUE_ID', surrounding(({ uuid }) => uuid)],
  ['ACCESS_LOG_TYPE', plain((info) => AccessLogType[logTypeOf(info)])],
  ['ENVIRONMENT', environment],
  ['EMIT_TIME', emitTime],
  ['COMMON_DURATION', commonDuration],
  ['DYNAMIC_METADATA', dynamicMetadata],
  ['METADATA', metadata],
  ['FILTER_STATE', filterState],
  ['CEL', (argument) => celText(compileCel(needed(argument, 'an expression')))],
  ['TYPED_CEL', (argument) => compileCel(needed(argument, 'an expression')).value],

  ['UPSTREAM_HOST', plain((info) => info.upstreamHost)],
  ['UPSTREAM_REMOTE_ADDRESS', plain((info) => info.upstreamHost)],
  ['UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.upstreamHost))],
  ['UPSTREAM_REMOTE_PORT', plain((info) => portIn(info.upstreamHost))],
  ['UPSTREAM_CLUSTER', plain((info) => info.upstreamCluster)],
  ['UPSTREAM_CLUSTER_RAW', plain((info) => info.upstreamCluster)],
  ['UPSTREAM_LOCAL_ADDRESS', plain((info) => info.upstreamLocalAddress)],
  ['UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.upstreamLocalAddress))],
  ['UPSTREAM_LOCAL_PORT', plain((info) => portIn(info.upstreamLocalAddress))],
  ['UPSTREAM_TRANSPORT_FAILURE_REASON', plain((info) => spaceless(info.upstreamTransportFailureReason))],
  ['UPSTREAM_PROTOCOL', plain((info) => info.upstreamProtocol)],
  ['UPSTREAM_REQUEST_ATTEMPT_COUNT', plain((info) => info.attemptCount)],
  ['UPSTREAM_CONNECTION_ID', plain((info) => (info.upstreamConnectionId === -1 ? null : info.upstreamConnectionId))],
  ['UPSTREAM_HOST_NAME', plain((info) => info.upstreamHostName ?? info.upstreamHost)],
  ['UPSTREAM_HOST_NAME_WITHOUT_PORT', plain((info) => info.upstreamHostName ?? hostOf(info.upstreamHost))],
  ['UPSTREAM_HOSTS_ATTEMPTED', plain((info) => attempted(info, ({ address }) => address))],
  ['UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT', plain((info) => attempted(info, ({ address }) => addressOf(address)))],
  ['UPSTREAM_METADATA', ofMetadata((info) => info.hostMetadata)],
  ['CLUSTER_METADATA', ofMetadata((info) => info.clusterMetadata)],

  ['DOWNSTREAM_REMOTE_ADDRESS', plain((info) => info.downstreamRemoteAddress)],
  ['DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.downstreamRemoteAddress))],
  ['DOWNSTREAM_REMOTE_PORT', plain((info) => portIn(info.downstreamRemoteAddress))],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS', plain((info) => info.connection.directRemoteAddress)],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.connection.directRemoteAddress))],
  ['DOWNSTREAM_DIRECT_REMOTE_PORT', plain((info) => portIn(info.connection.directRemoteAddress))],
  ['DOWNSTREAM_DIRECT_LOCAL_ADDRESS', plain((info) => info.connection.directLocalAddress)],
  ['DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.connection.directLocalAddress))],
  ['DOWNSTREAM_DIRECT_LOCAL_PORT', plain((info) => portIn(info.connection.directLocalAddress))],
  ['DOWNSTREAM_LOCAL_ADDRESS', plain((info) => info.connection.localAddress)],
  ['DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.connection.localAddress))],
  ['DOWNSTREAM_LOCAL_PORT', plain((info) => portIn(info.connection.localAddress))],
  ['REQUESTED_SERVER_NAME', plain((info) => info.connection.requestedServerName)],
  ['DOWNSTREAM_TRANSPORT_FAILURE_REASON', plain((info) => spaceless(info.downstreamTransportFailureReason))],
  ['LISTENER_NAME', plain((info) => nonEmpty(info.connection.listenerName))],
  ['FILTER_CHAIN_NAME', plain((info) => nonEmpty(info.connection.filterChainName))],
  ['DOWNSTREAM_TLS_VERSION', plain((info) => info.connection.tls?.version ?? null)],
  ['DOWNSTREAM_TLS_CIPHER', plain((info) => info.connection.tls?.cipher ?? null)],
  ['UPSTREAM_TLS_VERSION', plain((info) => info.upstreamTls?.version ?? null)],
  ['UPSTREAM_TLS_CIPHER', plain((info) => info.upstreamTls?.cipher ?? null)],
  ...certificateOperators,

  // What they tell of does not exist here: spans, flags of Lua, addresses inside a process, acknowledgements of QUIC.
  ...NEVER_THERE.map((name) => [name, plain(() => null)] as const),
  ...ALWAYS_EMPTY.map((name) => [name, plain(() => '')] as const),
]);

/** Operators whose text is a message's. */
const OF_WIRE: ReadonlySet<string> = new Set([
  'REQ',
  'RESP',
  'TRAILER',
  'REQ_WITHOUT_QUERY',
  'PATH',
  'QUERY_PARAM',
  'STREAM_ID',
  'REQUESTED_SERVER_NAME',
]);

/** Operators whose text is the configuration's: what is written between numbers, and what the operator set. */
const OF_CONFIGURATION: ReadonlySet<string> = new Set(['START_TIME', 'EMIT_TIME', 'ENVIRONMENT']);

/** Whose words the texts of an operator are. */
export function originOf(name: string): ValueOrigin {
  if (OF_WIRE.has(name)) return 'wire';
  return OF_CONFIGURATION.has(name) ? 'configuration' : 'mixed';
}

/** The operator `%NAME(argument)%`. Throws `invalid` for a name or an argument that Envoy has and we lack, or nobody knows. */
export function compileOperator(name: string, argument: string | null, surroundings: Surroundings): OperatorValue {
  const factory = OPERATORS.get(name);
  if (factory === undefined) {
    throw new FlotillaError('invalid', `unknown command operator %${name}%`, {
      hint: `Known are ${[...OPERATORS.keys()].join(', ')}.`,
    });
  }
  try {
    return factory(argument, surroundings);
  } catch (error) {
    throw FlotillaError.from(error).within(`%${name}%`);
  }
}

function plain(value: OperatorValue): OperatorFactory {
  return (argument) => {
    if (argument !== null) throw new FlotillaError('invalid', 'takes no argument');
    return value;
  };
}

/** Without an argument, by what is around. */
function surrounding(valueOf: (surroundings: Surroundings) => OperatorValue): OperatorFactory {
  return (argument, surroundings) => {
    if (argument !== null) throw new FlotillaError('invalid', 'takes no argument');
    return valueOf(surroundings);
  };
}

/** `(A?B)`: the header A, or B where A is absent; names are case-insensitive. */
function header(read: (info: StreamInfo, name: string) => string | null): OperatorFactory {
  return (argument) => {
    const [main, alternative, ...more] = (argument ?? '').toLowerCase().split('?');
    if (main === undefined || main === '' || more.length > 0) {
      throw new FlotillaError('invalid', 'needs a header name, or two joined by "?"');
    }
    if (alternative === undefined || alternative === '') return (info) => read(info, main);
    return (info) => read(info, main) ?? read(info, alternative);
  };
}

function startTime(argument: string | null): OperatorValue {
  const format = compileTimeFormat(argument ?? '%Y-%m-%dT%H:%M:%E3SZ');
  return (info) => format(info.startTimeMs);
}

function statusText(info: StreamInfo): string | null {
  return info.responseCode === 0 ? null : String(info.responseCode);
}

/** `CAMEL_STRING` (the default), `SNAKE_STRING` or `NUMBER`. */
function grpcStatusText(argument: string | null): OperatorValue {
  const form = argument ?? 'CAMEL_STRING';
  if (!['CAMEL_STRING', 'SNAKE_STRING', 'NUMBER'].includes(form)) {
    throw new FlotillaError('invalid', `"${form}" is not CAMEL_STRING, SNAKE_STRING or NUMBER`);
  }
  return (info) => {
    const status = grpcStatusOf(info);
    const name = CodeSchema.values.find(({ number }) => number === status)?.name;
    if (status === null || form === 'NUMBER') return status;
    if (name === undefined) return String(status);
    return form === 'SNAKE_STRING' ? name : camelCase(name);
  };
}

function camelCase(name: string): string {
  if (name === 'OK') return name;
  // gRPC writes this one with one l.
  if (name === 'CANCELLED') return 'Canceled';
  return name
    .split('_')
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join('');
}

function withoutQuery(value: string | null): string | null {
  return value === null ? null : (value.split('?')[0] ?? '');
}

/** `%PATH(WQ:ORIG)%`: with (WQ, the default) or without query (NQ); the path as it came, as it went, or the first there is. */
function path(argument: string | null): OperatorValue {
  const [query = 'WQ', which = 'ORIG_OR_PATH', ...more] = (argument ?? '').split(':');
  if (!['', 'WQ', 'NQ'].includes(query) || !['ORIG', 'PATH', 'ORIG_OR_PATH'].includes(which) || more.length > 0) {
    throw new FlotillaError('invalid', 'takes WQ or NQ, then ORIG, PATH or ORIG_OR_PATH');
  }
  return (info) => {
    const original = field(info.requestHeaders, 'x-envoy-original-path');
    const present = nonEmpty(info.path) ?? nonEmpty(info.originalPath);
    const value = which === 'PATH' ? present : which === 'ORIG' ? original : (original ?? present);
    return query === 'NQ' ? withoutQuery(value) : value;
  };
}

function queryParameter(argument: string | null): OperatorValue {
  const name = needed(argument, 'the name of a query parameter');
  return (info) => queryParameterOf(nonEmpty(info.path) ?? info.originalPath, name) ?? null;
}

function environment(argument: string | null, surroundings: Surroundings): OperatorValue {
  const value = surroundings.environment(needed(argument, 'the name of an environment variable'));
  return () => value;
}

function emitTime(argument: string | null, { now }: Surroundings): OperatorValue {
  const format = compileTimeFormat(argument ?? '%Y-%m-%dT%H:%M:%E3SZ');
  return () => format(now());
}

/** Points in a stream's life, in monotonic milliseconds, by Envoy's names. */
const POINTS: Readonly<Record<string, (info: StreamInfo) => number>> = {
  DS_RX_BEG: (info) => info.startMs,
  DS_RX_END: (info) => info.requestEndMs,
  US_TX_BEG: (info) => info.upstreamRequestStartMs,
  US_TX_END: (info) => info.upstreamRequestEndMs,
  US_RX_BEG: (info) => info.upstreamResponseStartMs,
  US_RX_END: (info) => info.upstreamResponseEndMs,
  DS_TX_BEG: (info) => info.responseStartMs,
  // Of requests alone, as in Envoy.
  DS_TX_END: (info) => (info.isOfListener || info.protocol === null ? -1 : info.endMs),
};

const PER_MS: Readonly<Record<string, number>> = { ms: 1, us: 1_000, ns: 1_000_000 };

/** `%COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)%`. */
function commonDuration(argument: string | null): OperatorValue {
  const [start = '', end = '', precision = 'ms', ...more] = (argument ?? '').split(':');
  const from = POINTS[start];
  const to = POINTS[end];
  const factor = PER_MS[precision];
  if (from === undefined || to === undefined || factor === undefined || more.length > 0) {
    throw new FlotillaError('invalid', `takes START:END:PRECISION of ${Object.keys(POINTS).join(', ')} and ms, us, ns`);
  }
  return (info) => {
    const [fromMs, toMs] = [from(info), to(info)];
    return fromMs < 0 || toMs < 0 ? null : Math.max(0, Math.floor((toMs - fromMs) * factor));
  };
}

/** `%DYNAMIC_METADATA(namespace:key:…)%`. */
function dynamicMetadata(argument: string | null): OperatorValue {
  const [namespace = '', ...keys] = needed(argument, 'a namespace').split(':');
  return (info) => metadataText(info.dynamicMetadata?.get(namespace), keys);
}

/** `%METADATA(ROUTE:namespace:key:…)%`. */
function metadata(argument: string | null): OperatorValue {
  const [of = '', namespace = '', ...keys] = (argument ?? '').split(':');
  switch (of) {
    case 'DYNAMIC':
      return (info) => metadataText(info.dynamicMetadata?.get(namespace), keys);
    case 'ROUTE':
      return (info) => metadataText(info.routeMetadata?.[namespace], keys);
    case 'UPSTREAM_HOST':
      return (info) => metadataText(info.hostMetadata?.[namespace], keys);
    case 'CLUSTER':
      return (info) => metadataText(info.clusterMetadata?.[namespace], keys);
    default:
      throw new FlotillaError('invalid', `"${of}" is not DYNAMIC, ROUTE, CLUSTER or UPSTREAM_HOST`);
  }
}

/** `%UPSTREAM_METADATA(namespace:key:…)%`. */
function ofMetadata(find: (info: StreamInfo) => FilterMetadata | null): OperatorFactory {
  return (argument) => {
    const [namespace = '', ...keys] = needed(argument, 'a namespace').split(':');
    return (info) => metadataText(find(info)?.[namespace], keys);
  };
}

/** Hosts in the order in which they were tried. */
function attempted(info: StreamInfo, textOf: (host: TriedHost) => string): string | null {
  return info.triedHosts === null ? null : info.triedHosts.map(textOf).join();
}

/** A text or number as it is, everything else as a structure. */
function metadataText(
  value: JsonObject | undefined,
  keys: readonly string[],
): string | number | Structure<JsonValue> | null {
  const found = valueAt(value, keys);
  if (found === undefined || found === null) return null;
  return typeof found === 'string' || typeof found === 'number' ? found : new Structure(sorted(found));
}

/** Names in order, as Envoy prints them. */
function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, sorted(item)]));
}

/** `%FILTER_STATE(key:PLAIN)%`; `TYPED`, the default, is its JSON form. What is noted down are texts, without fields. */
function filterState(argument: string | null): OperatorValue {
  const [key = '', form = 'TYPED', ...more] = needed(argument, 'a key').split(':');
  if (!['PLAIN', 'TYPED'].includes(form) || more.length > 0) {
    throw new FlotillaError('invalid', 'takes a key, then PLAIN or TYPED');
  }
  return (info) => {
    const value = (info.filterState ?? info.connection.filterState)?.get(key) ?? null;
    return value === null || form === 'PLAIN' ? value : new Structure(value);
  };
}

/** As text: what has another type is printed as it is in CEL. */
function celText({ value }: CelProgram): OperatorValue {
  return (info) => {
    const found = value(info);
    return found === null ? null : String(found);
  };
}

function needed(argument: string | null, what: string): string {
  if (argument === null || argument === '') throw new FlotillaError('invalid', `needs ${what}`);
  return argument;
}

/** Envoy writes such texts with `_` for white space, so that a log line can be split at spaces. */
function spaceless(text: string | null): string | null {
  return text === null ? null : text.replace(/\s/g, '_');
}

/** Whole milliseconds between two events; null while one of them has not happened. */
function span(fromMs: number, toMs: number): number | null {
  return fromMs < 0 || toMs < 0 ? null : Math.max(0, Math.floor(toMs - fromMs));
}

function portIn(address: string | null): number | null {
  return address === null ? null : portOf(address);
}

function hostOf(address: string | null): string | null {
  return address === null ? null : addressOf(address);
}
