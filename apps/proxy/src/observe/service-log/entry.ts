import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { HeaderList } from '@flotilla/http-codec';
import { AddressSchema } from '@flotilla/wire/envoy/config/core/v3/address_pb.js';
import { RequestMethod } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import {
  type AccessLogCommonSchema,
  HTTPAccessLogEntry_HTTPVersion as HttpVersion,
  type HTTPAccessLogEntry,
  HTTPAccessLogEntrySchema,
  ResponseFlagsSchema,
  type TCPAccessLogEntry,
  TCPAccessLogEntrySchema,
  TLSProperties_TLSVersion as TlsVersion,
  TLSPropertiesSchema,
} from '@flotilla/wire/envoy/data/accesslog/v3/accesslog_pb.js';
import {
  addressOf,
  type ConnectionInfo,
  durationOf,
  field,
  logTypeOf,
  portOf,
  requestHeadersBytes,
  ResponseFlag,
  responseHeadersBytes,
  type StreamInfo,
  type CertificateFacts,
} from '@flotilla/stream';

/** Which headers are told beside the usual ones; names in lower case. */
export interface ExtraHeaders {
  readonly request: readonly string[];
  readonly response: readonly string[];
  readonly trailers: readonly string[];
}

/** What an access log service is told of a request. Bytes on the wire and numbers of cipher suites are not known here. */
export function httpEntryOf(info: StreamInfo, extra: ExtraHeaders): HTTPAccessLogEntry {
  const { requestHeaders: headers } = info;
  return create(HTTPAccessLogEntrySchema, {
    commonProperties: commonOf(info),
    protocolVersion: VERSIONS[info.protocol ?? ''] ?? HttpVersion.PROTOCOL_UNSPECIFIED,
    request: {
      requestMethod: METHODS[info.method] ?? RequestMethod.METHOD_UNSPECIFIED,
      scheme: info.scheme,
      authority: info.authority,
      path: info.path || info.originalPath,
      userAgent: field(headers, 'user-agent') ?? '',
      referer: field(headers, 'referer') ?? '',
      forwardedFor: field(headers, 'x-forwarded-for') ?? '',
      requestId: field(headers, 'x-request-id') ?? '',
      originalPath: field(headers, 'x-envoy-original-path') ?? '',
      requestHeadersBytes: BigInt(requestHeadersBytes(info)),
      requestBodyBytes: BigInt(info.bytesReceived),
      requestHeaders: chosen(headers, extra.request),
    },
    response: {
      ...(info.responseCode === 0 ? {} : { responseCode: info.responseCode }),
      responseHeadersBytes: BigInt(responseHeadersBytes(info)),
      responseBodyBytes: BigInt(info.bytesSent),
      responseHeaders: chosen(info.responseHeaders, extra.response),
      responseTrailers: chosen(info.responseTrailers, extra.trailers),
      responseCodeDetails: info.responseCodeDetails ?? '',
    },
  });
}

/** What it is told of a TCP connection. */
export function tcpEntryOf(info: StreamInfo): TCPAccessLogEntry {
  return create(TCPAccessLogEntrySchema, {
    commonProperties: commonOf(info),
    connectionProperties: { receivedBytes: BigInt(info.bytesReceived), sentBytes: BigInt(info.bytesSent) },
  });
}

type CommonInit = MessageInitShape<typeof AccessLogCommonSchema>;

function commonOf(info: StreamInfo): CommonInit {
  const { connection, startMs } = info;
  const since = (atMs: number) => (atMs < 0 ? undefined : durationOf(Math.max(0, atMs - startMs)));
  const common: CommonInit = {
    downstreamRemoteAddress: placeOf(info.downstreamRemoteAddress),
    downstreamLocalAddress: placeOf(connection.localAddress),
    downstreamDirectRemoteAddress: placeOf(connection.directRemoteAddress),
    startTime: timestampFromMs(info.startTimeMs),
    upstreamCluster: info.upstreamCluster ?? '',
    upstreamTransportFailureReason: info.upstreamTransportFailureReason ?? '',
    downstreamTransportFailureReason: info.downstreamTransportFailureReason ?? '',
    routeName: info.routeName ?? '',
    upstreamRequestAttemptCount: info.attemptCount,
    connectionTerminationDetails: info.connectionTerminationDetails ?? '',
    streamId: field(info.requestHeaders, 'x-request-id') ?? '',
    accessLogType: logTypeOf(info),
  };
  const times = {
    timeToLastRxByte: since(info.requestEndMs),
    timeToFirstUpstreamTxByte: since(info.upstreamRequestStartMs),
    timeToLastUpstreamTxByte: since(info.upstreamRequestEndMs),
    timeToFirstUpstreamRxByte: since(info.upstreamResponseStartMs),
    timeToLastUpstreamRxByte: since(info.upstreamResponseEndMs),
    timeToFirstDownstreamTxByte: since(info.responseStartMs),
    timeToLastDownstreamTxByte: info.protocol === null ? undefined : since(info.endMs),
    duration: since(info.endMs),
  };
  for (const [name, time] of Object.entries(times)) if (time !== undefined) Object.assign(common, { [name]: time });
  if (info.responseFlags !== 0) common.responseFlags = flagsOf(info.responseFlags);
  if (info.dynamicMetadata !== null) common.metadata = { filterMetadata: Object.fromEntries(info.dynamicMetadata) };
  if (info.upstreamHost !== null) common.upstreamRemoteAddress = placeOf(info.upstreamHost);
  if (info.upstreamLocalAddress !== null) common.upstreamLocalAddress = placeOf(info.upstreamLocalAddress);
  const tls = tlsOf(connection);
  if (tls !== null) common.tlsProperties = tls;
  return common;
}

function placeOf(address: string) {
  return create(AddressSchema, {
    address: {
      case: 'socketAddress',
      value: { address: addressOf(address), portSpecifier: { case: 'portValue', value: portOf(address) ?? 0 } },
    },
  });
}

const TLS_VERSIONS: Readonly<Record<string, TlsVersion>> = {
  TLSv1: TlsVersion.TLSv1,
  'TLSv1.1': TlsVersion.TLSv1_1,
  'TLSv1.2': TlsVersion.TLSv1_2,
  'TLSv1.3': TlsVersion.TLSv1_3,
};

function tlsOf({ tls, requestedServerName }: ConnectionInfo) {
  if (tls === null) return null;
  return create(TLSPropertiesSchema, {
    tlsVersion: TLS_VERSIONS[tls.version] ?? TlsVersion.VERSION_UNSPECIFIED,
    tlsSniHostname: requestedServerName ?? '',
    localCertificateProperties: certificateOf(tls.own),
    peerCertificateProperties: certificateOf(tls.peer),
  });
}

function certificateOf(certificate: CertificateFacts | null) {
  if (certificate === null) return {};
  const { names, subject, issuer } = certificate;
  const alternatives = [
    ...names.uri.map((value) => ({ san: { case: 'uri' as const, value } })),
    ...names.dns.map((value) => ({ san: { case: 'dns' as const, value } })),
  ];
  return { subjectAltName: alternatives, subject, issuer };
}

/** Fields of the message by bit. */
const FLAG_FIELDS = [
  [ResponseFlag.NoHealthyUpstream, 'noHealthyUpstream'],
  [ResponseFlag.UpstreamRequestTimeout, 'upstreamRequestTimeout'],
  [ResponseFlag.LocalReset, 'localReset'],
  [ResponseFlag.UpstreamRemoteReset, 'upstreamRemoteReset'],
  [ResponseFlag.UpstreamConnectionFailure, 'upstreamConnectionFailure'],
  [ResponseFlag.UpstreamConnectionTermination, 'upstreamConnectionTermination'],
  [ResponseFlag.UpstreamOverflow, 'upstreamOverflow'],
  [ResponseFlag.NoRouteFound, 'noRouteFound'],
  [ResponseFlag.DelayInjected, 'delayInjected'],
  [ResponseFlag.FaultInjected, 'faultInjected'],
  [ResponseFlag.RateLimited, 'rateLimited'],
  [ResponseFlag.RateLimitServiceError, 'rateLimitServiceError'],
  [ResponseFlag.DownstreamConnectionTermination, 'downstreamConnectionTermination'],
  [ResponseFlag.UpstreamRetryLimitExceeded, 'upstreamRetryLimitExceeded'],
  [ResponseFlag.StreamIdleTimeout, 'streamIdleTimeout'],
  [ResponseFlag.InvalidEnvoyRequestHeaders, 'invalidEnvoyRequestHeaders'],
  [ResponseFlag.DownstreamProtocolError, 'downstreamProtocolError'],
  [ResponseFlag.UpstreamMaxStreamDurationReached, 'upstreamMaxStreamDurationReached'],
  [ResponseFlag.NoFilterConfigFound, 'noFilterConfigFound'],
  [ResponseFlag.DurationTimeout, 'durationTimeout'],
  [ResponseFlag.UpstreamProtocolError, 'upstreamProtocolError'],
  [ResponseFlag.NoClusterFound, 'noClusterFound'],
  [ResponseFlag.OverloadManager, 'overloadManager'],
  [ResponseFlag.DnsResolutionFailed, 'dnsResolutionFailure'],
  [ResponseFlag.DownstreamRemoteReset, 'downstreamRemoteReset'],
] as const;

function flagsOf(flags: number) {
  const message = create(ResponseFlagsSchema);
  for (const [flag, name] of FLAG_FIELDS) if ((flags & flag) !== 0) message[name] = true;
  return message;
}

const VERSIONS: Readonly<Record<string, HttpVersion>> = {
  'HTTP/1.0': HttpVersion.HTTP10,
  'HTTP/1.1': HttpVersion.HTTP11,
  'HTTP/2': HttpVersion.HTTP2,
};

const METHODS: Readonly<Record<string, RequestMethod>> = {
  GET: RequestMethod.GET,
  HEAD: RequestMethod.HEAD,
  POST: RequestMethod.POST,
  PUT: RequestMethod.PUT,
  DELETE: RequestMethod.DELETE,
  CONNECT: RequestMethod.CONNECT,
  OPTIONS: RequestMethod.OPTIONS,
  TRACE: RequestMethod.TRACE,
  PATCH: RequestMethod.PATCH,
};

/** Of headers that are there; one that is there twice is told with its values joined. */
function chosen(headers: HeaderList | null, names: readonly string[]): Record<string, string> {
  const told: Record<string, string> = {};
  if (headers === null || names.length === 0) return told;
  for (const name of names) {
    const values = [...headers].filter(([known]) => known.toLowerCase() === name).map(([, value]) => value);
    if (values.length > 0) told[name] = values.join();
  }
  return told;
}
