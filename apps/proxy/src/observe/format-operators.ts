import { hostname } from 'node:os';
import { FlotillaError } from '@flotilla/runtime';
import type { HeaderList } from '@flotilla/http-codec';
import { formatResponseFlags } from './response-flags.ts';
import type { StreamInfo } from './stream-info.ts';
import { compileTimeFormat } from './time-format.ts';

/** The value of one command operator for one stream; null prints as `-`. Numbers stay numbers in JSON logs. */
export type OperatorValue = (info: StreamInfo) => string | number | null;

/** Builds an operator from the text between its parentheses; null when it has none. */
type OperatorFactory = (argument: string | null) => OperatorValue;

const HOSTNAME = hostname();

/**
 * Operators by name: Envoy's "command operators" of access logs and header values. Those that need what this
 * proxy does not record (dynamic metadata, filter state) are absent, and so refused by name.
 */
const OPERATORS: ReadonlyMap<string, OperatorFactory> = new Map<string, OperatorFactory>([
  ['START_TIME', startTime],
  ['PROTOCOL', plain((info) => info.protocol)],
  ['RESPONSE_CODE', plain((info) => info.responseCode)],
  ['RESPONSE_CODE_DETAILS', plain((info) => spaceless(info.responseCodeDetails))],
  ['CONNECTION_TERMINATION_DETAILS', plain((info) => info.connectionTerminationDetails)],
  ['RESPONSE_FLAGS', plain((info) => formatResponseFlags(info.responseFlags))],
  ['BYTES_RECEIVED', plain((info) => info.bytesReceived)],
  ['BYTES_SENT', plain((info) => info.bytesSent)],
  ['DURATION', plain((info) => span(info.startMs, info.endMs))],
  ['REQUEST_DURATION', plain((info) => span(info.startMs, info.requestEndMs))],
  ['REQUEST_TX_DURATION', plain((info) => span(info.startMs, info.upstreamRequestEndMs))],
  ['RESPONSE_DURATION', plain((info) => span(info.startMs, info.upstreamResponseStartMs))],
  ['RESPONSE_TX_DURATION', plain((info) => span(info.upstreamResponseStartMs, info.endMs))],
  ['ROUTE_NAME', plain((info) => nonEmpty(info.routeName))],
  ['VIRTUAL_CLUSTER_NAME', plain(() => null)],
  ['HOSTNAME', plain(() => HOSTNAME)],
  ['CONNECTION_ID', plain((info) => info.connection.id)],

  ['REQ', header((info, name) => requestHeader(info, name))],
  ['RESP', header((info, name) => (name === ':status' ? statusText(info) : field(info.responseHeaders, name)))],
  ['TRAILER', header((info, name) => field(info.responseTrailers, name))],
  ['GRPC_STATUS_NUMBER', plain(grpcStatus)],

  ['UPSTREAM_HOST', plain((info) => info.upstreamHost)],
  ['UPSTREAM_REMOTE_ADDRESS', plain((info) => info.upstreamHost)],
  ['UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.upstreamHost))],
  ['UPSTREAM_REMOTE_PORT', plain((info) => portOf(info.upstreamHost))],
  ['UPSTREAM_CLUSTER', plain((info) => info.upstreamCluster)],
  ['UPSTREAM_CLUSTER_RAW', plain((info) => info.upstreamCluster)],
  ['UPSTREAM_LOCAL_ADDRESS', plain((info) => info.upstreamLocalAddress)],
  ['UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.upstreamLocalAddress))],
  ['UPSTREAM_LOCAL_PORT', plain((info) => portOf(info.upstreamLocalAddress))],
  ['UPSTREAM_TRANSPORT_FAILURE_REASON', plain((info) => spaceless(info.upstreamTransportFailureReason))],
  ['UPSTREAM_PEER_URI_SAN', plain((info) => info.upstreamPeerUriSan)],
  ['UPSTREAM_REQUEST_ATTEMPT_COUNT', plain((info) => info.attemptCount)],

  ['DOWNSTREAM_REMOTE_ADDRESS', plain((info) => info.downstreamRemoteAddress)],
  ['DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.downstreamRemoteAddress))],
  ['DOWNSTREAM_REMOTE_PORT', plain((info) => portOf(info.downstreamRemoteAddress))],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS', plain((info) => info.connection.directRemoteAddress)],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.connection.directRemoteAddress))],
  ['DOWNSTREAM_DIRECT_REMOTE_PORT', plain((info) => portOf(info.connection.directRemoteAddress))],
  ['DOWNSTREAM_DIRECT_LOCAL_ADDRESS', plain((info) => info.connection.directLocalAddress)],
  ['DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.connection.directLocalAddress))],
  ['DOWNSTREAM_DIRECT_LOCAL_PORT', plain((info) => portOf(info.connection.directLocalAddress))],
  ['DOWNSTREAM_LOCAL_ADDRESS', plain((info) => info.connection.localAddress)],
  ['DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', plain((info) => hostOf(info.connection.localAddress))],
  ['DOWNSTREAM_LOCAL_PORT', plain((info) => portOf(info.connection.localAddress))],
  ['REQUESTED_SERVER_NAME', plain((info) => info.connection.requestedServerName)],
  ['DOWNSTREAM_TLS_VERSION', plain((info) => info.connection.tlsVersion)],
  ['DOWNSTREAM_PEER_URI_SAN', plain((info) => info.connection.peerUriSan)],
  ['DOWNSTREAM_PEER_SUBJECT', plain((info) => info.connection.peerSubject)],
  ['DOWNSTREAM_LOCAL_URI_SAN', plain((info) => info.connection.localUriSan)],
]);

/** The operator `%NAME(argument)%`. Throws `invalid` for a name or an argument that Envoy has and we lack, or nobody knows. */
export function compileOperator(name: string, argument: string | null): OperatorValue {
  const factory = OPERATORS.get(name);
  if (factory === undefined) {
    throw new FlotillaError('invalid', `unknown command operator %${name}%`, {
      hint: `Known are ${[...OPERATORS.keys()].join(', ')}.`,
    });
  }
  try {
    return factory(argument);
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

function requestHeader(info: StreamInfo, name: string): string | null {
  switch (name) {
    case ':method':
      return nonEmpty(info.method);
    case ':path':
      return nonEmpty(info.path) ?? nonEmpty(info.originalPath);
    case ':authority':
    case 'host':
      return nonEmpty(info.authority);
    case ':scheme':
      return info.requestHeaders === null ? null : nonEmpty(info.scheme);
    default:
      return field(info.requestHeaders, name);
  }
}

function field(headers: HeaderList | null, name: string): string | null {
  return headers?.get(name) ?? null;
}

function statusText(info: StreamInfo): string | null {
  return info.responseCode === 0 ? null : String(info.responseCode);
}

function grpcStatus(info: StreamInfo): number | null {
  const text = info.responseTrailers?.get('grpc-status') ?? info.responseHeaders?.get('grpc-status');
  const status = Number(text);
  return text === undefined || !Number.isInteger(status) ? null : status;
}

function nonEmpty(text: string | null): string | null {
  return text === '' ? null : text;
}

/** Envoy writes such texts with `_` for white space, so that a log line can be split at spaces. */
function spaceless(text: string | null): string | null {
  return text === null ? null : text.replace(/\s/g, '_');
}

/** Whole milliseconds between two events; null while one of them has not happened. */
function span(fromMs: number, toMs: number): number | null {
  return fromMs < 0 || toMs < 0 ? null : Math.max(0, Math.floor(toMs - fromMs));
}

function hostOf(address: string | null): string | null {
  if (address === null) return null;
  const colon = address.lastIndexOf(':');
  const host = colon === -1 ? address : address.slice(0, colon);
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

function portOf(address: string | null): number | null {
  if (address === null) return null;
  const colon = address.lastIndexOf(':');
  const port = Number(address.slice(colon + 1));
  return colon === -1 || !Number.isInteger(port) ? null : port;
}
