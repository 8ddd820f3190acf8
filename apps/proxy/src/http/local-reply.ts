import type { LocalReply } from '../ports/local-reply.ts';
import { HeaderList } from '@flotilla/http-codec';
import { isGrpcType, ResponseFlag } from '@flotilla/stream';
import type { ReplyText } from './local-reply-mapping.ts';
import type { UpstreamFailure } from '../ports/cluster-manager.ts';
import type { DirectAction, RedirectAction, RoutableRequest } from '@flotilla/route';

function reply(status: number, body: string, details: string, flags: number): LocalReply {
  return { status, body, details, flags, headers: null };
}

export const routeNotFound = reply(404, '', 'route_not_found', ResponseFlag.NoRouteFound);
export const noHealthyUpstream = reply(
  503,
  'no healthy upstream',
  'no_healthy_upstream',
  ResponseFlag.NoHealthyUpstream,
);
export const responseTimeout = reply(
  504,
  'upstream request timeout',
  'response_timeout',
  ResponseFlag.UpstreamRequestTimeout,
);
export const perTryTimeout = reply(
  504,
  'upstream request timeout',
  'upstream_per_try_timeout',
  ResponseFlag.UpstreamRequestTimeout,
);
export const perTryIdleTimeout = reply(
  504,
  'upstream request timeout',
  'upstream_per_try_idle_timeout',
  ResponseFlag.UpstreamRequestTimeout,
);
export const upstreamDurationReached = reply(
  504,
  'upstream max stream duration reached',
  'upstream_max_stream_duration_reached',
  ResponseFlag.UpstreamMaxStreamDurationReached,
);
export const invalidAuthority = reply(
  400,
  'Bad Request',
  'http.invalid_authority',
  ResponseFlag.DownstreamProtocolError,
);
export const invalidScheme = reply(400, 'Bad Request', 'http1.invalid_scheme', ResponseFlag.DownstreamProtocolError);
export const missingHost = reply(400, '', 'missing_host_header', 0);
export const badPath = reply(400, '', 'path_normalization_failed', 0);
export const badAbsolutePath = reply(404, '', 'absolute_path_rejected', 0);
export const upgradeRefused = reply(403, '', 'upgrade_failed', 0);
export const underscoreInName = reply(
  400,
  'Bad Request',
  'http1.unexpected_underscore',
  ResponseFlag.DownstreamProtocolError,
);
export const payloadTooLarge = reply(413, 'Payload Too Large', 'request_payload_too_large', 0);
export const streamIdleTimeout = reply(504, 'stream timeout', 'stream_idle_timeout', ResponseFlag.StreamIdleTimeout);
export const requestBodyIdleTimeout = reply(
  408,
  'stream timeout',
  'stream_idle_timeout',
  ResponseFlag.StreamIdleTimeout,
);
export const requestTimeout = reply(408, 'request timeout', 'request_overall_timeout', 0);
export const requestHeadersTimeout = reply(408, 'request header timeout', 'request_header_timeout', 0);
/** The stream took too long; who is late depends on whether the request was whole. */
export function maxDurationReached(isRequestEnded: boolean): LocalReply {
  return {
    ...reply(isRequestEnded ? 504 : 408, 'downstream duration timeout', 'max_duration_timeout', 0),
    // DEADLINE_EXCEEDED.
    grpcStatus: 4,
  };
}

/** The route names a cluster that does not exist. */
export function clusterNotFound(status: number): LocalReply {
  return reply(status, '', 'cluster_not_found', ResponseFlag.NoClusterFound);
}

interface FailureMeaning {
  readonly reason: string;
  readonly status: number;
  readonly flag: number;
}

const FAILURES: Readonly<Record<UpstreamFailure, FailureMeaning>> = {
  'connect-failure': {
    reason: 'remote connection failure',
    status: 503,
    flag: ResponseFlag.UpstreamConnectionFailure,
  },
  'connect-timeout': { reason: 'connection timeout', status: 503, flag: ResponseFlag.UpstreamConnectionFailure },
  'reset-before-request': {
    reason: 'connection termination',
    status: 503,
    flag: ResponseFlag.UpstreamConnectionTermination,
  },
  reset: { reason: 'connection termination', status: 503, flag: ResponseFlag.UpstreamConnectionTermination },
  'remote-reset': { reason: 'remote reset', status: 503, flag: ResponseFlag.UpstreamRemoteReset },
  'refused-stream': { reason: 'remote refused stream reset', status: 503, flag: ResponseFlag.UpstreamRemoteReset },
  'protocol-error': { reason: 'protocol error', status: 502, flag: ResponseFlag.UpstreamProtocolError },
  overflow: { reason: 'overflow', status: 503, flag: ResponseFlag.UpstreamOverflow },
};

export function flagOfFailure(failure: UpstreamFailure): number {
  return FAILURES[failure].flag;
}

/** The upstream failed before it answered. `detail` is the transport's reason, empty for none. */
export function upstreamFailed(failure: UpstreamFailure, detail: string, wasRetried: boolean): LocalReply {
  const { reason, status, flag } = FAILURES[failure];
  const before = 'upstream connect error or disconnect/reset before headers.';
  const subject = wasRetried ? 'retried and the latest reset reason' : 'reset reason';
  return {
    status,
    body: `${before} ${subject}: ${reason}`,
    details: `upstream_reset_before_response_started{${resetDetails(failure, detail)}}`,
    flags: flag,
    headers: failure === 'overflow' ? HeaderList.of({ 'x-envoy-overloaded': 'true' }) : null,
  };
}

/** What `%RESPONSE_CODE_DETAILS%` says when the upstream failed in the middle of its answer. */
export function resetAfterStart(failure: UpstreamFailure, detail: string): string {
  return `upstream_reset_after_response_started{${resetDetails(failure, detail)}}`;
}

function resetDetails(failure: UpstreamFailure, detail: string): string {
  const { reason } = FAILURES[failure];
  const isTransport = detail !== '' && failure === 'connect-failure';
  return (isTransport ? `${reason}|${detail}` : reason).replaceAll(' ', '_');
}

const GRPC_STATUS_OF_HTTP: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};

/** A local reply as a response. */
export interface ComposedReply {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer | null;
}

/** Puts a reply into the form that the client understands: gRPC clients get a status in headers, others text. */
export function composeReply(
  reply: LocalReply,
  requestHeaders: HeaderList,
  headers: HeaderList = new HeaderList(),
  /** As the configuration words it; null: as it is. */
  text: ReplyText | null = null,
): ComposedReply {
  const isGrpc = isGrpcType(requestHeaders.get('content-type'));
  const { status, body: words } = text ?? reply;
  const body = isGrpc || words === '' ? null : Buffer.from(words);
  if (isGrpc) headers.flat.push(...grpcHeaders({ ...reply, status, body: words }).flat);
  if (body !== null) {
    headers.set('content-length', String(body.length));
    if (!headers.has('content-type')) headers.append('content-type', text?.contentType ?? 'text/plain');
  }
  if (reply.headers !== null) headers.flat.push(...reply.headers.flat);
  return { status: isGrpc ? 200 : status, headers, body };
}

/** The answer of a route that has no upstream. */
export function composeDirect(
  action: RedirectAction | DirectAction,
  request: RoutableRequest,
  word: ((status: number, body: string, headers: HeaderList) => ReplyText) | null,
): ComposedReply {
  const headers = new HeaderList();
  if (action.kind === 'redirect') headers.append('location', action.location(request));
  // What was made is where it was asked for (as Envoy has it).
  else if (action.status === 201) {
    headers.append('location', `${request.scheme}://${request.authority}${request.path}`);
  }
  const given = action.kind === 'redirect' || action.body === null ? null : bufferOf(action.body);
  const text = word === null ? null : word(action.status, given?.toString() ?? '', headers);
  const status = text?.status ?? action.status;
  if (action.kind !== 'redirect' && isGrpcType(request.headers.get('content-type'))) {
    const own = grpcHeaders(reply(status, text?.body ?? given?.toString() ?? '', '', 0));
    return { status: 200, headers: new HeaderList([...own.flat, ...headers.flat]), body: null };
  }
  const body = text === null ? given : text.body === '' ? null : Buffer.from(text.body);
  if (body !== null) {
    headers.append('content-length', String(body.length));
    headers.append('content-type', text?.contentType ?? 'text/plain');
  }
  return { status, headers, body };
}

/** The same bytes. */
function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** A response that is headers only, with the status in them ("trailers-only"). */
function grpcHeaders({ status, body, grpcStatus }: LocalReply): HeaderList {
  const headers = new HeaderList(['content-type', 'application/grpc']);
  headers.append('grpc-status', String(grpcStatus ?? GRPC_STATUS_OF_HTTP[status] ?? 2));
  if (body !== '') headers.append('grpc-message', percentEncoded(body));
  return headers;
}

/** gRPC's encoding of a status message: printable ASCII stays, `%` and the rest become %XX of UTF-8. */
function percentEncoded(message: string): string {
  let encoded = '';
  for (const byte of Buffer.from(message, 'utf8')) {
    if (byte < 0x20 || byte > 0x7e || byte === 0x25) {
      encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    } else encoded += String.fromCharCode(byte);
  }
  return encoded;
}
