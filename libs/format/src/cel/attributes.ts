import type { CelInput } from '@bufbuild/cel';
import type { JsonValue } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { HeaderList } from '@flotilla/http-codec';
import {
  durationOf,
  type FilterMetadata,
  grpcStatusOf,
  portOf,
  type StreamInfo,
  type TlsFacts,
  type CertificateFacts,
} from '@flotilla/stream';

/** Undefined and null: there is no such thing, and asking for it is an error of the expression. */
type Attributes = Readonly<Record<string, CelInput | null | undefined>>;

/**
 * What expressions know of a stream: Envoy's attributes by their names. Each group is made when an expression names
 * it. Filter state and localities are not known here.
 */
export function attributesOf(info: StreamInfo): Record<string, CelInput> {
  // Read as properties by the evaluator; those that are not asked for are never made.
  return {
    get request() {
      return mapOf(request(info));
    },
    get response() {
      return mapOf(response(info));
    },
    get connection() {
      return mapOf(connection(info));
    },
    get upstream() {
      return mapOf(upstream(info));
    },
    get source() {
      return mapOf(place(info.downstreamRemoteAddress));
    },
    get destination() {
      return mapOf(place(info.connection.localAddress));
    },
    get metadata() {
      return metadataOf(info.dynamicMetadata);
    },
    get xds() {
      return mapOf({
        cluster_name: info.upstreamCluster,
        cluster_metadata: metadataOf(info.clusterMetadata),
        route_name: info.routeName,
        route_metadata: metadataOf(info.routeMetadata),
        upstream_host_metadata: metadataOf(info.hostMetadata),
        filter_chain_name: info.connection.filterChainName,
        virtual_host_name: info.virtualHostName,
      });
    },
  };
}

function request(info: StreamInfo): Attributes {
  const { requestHeaders } = info;
  const target = info.path || info.originalPath;
  const [path = '', ...query] = target.split('?');
  if (requestHeaders === null) return { time: timestampFromMs(info.startTimeMs), protocol: info.protocol };
  const bytes = sizeOf(requestHeaders);
  const announced = requestHeaders.get('content-length');
  const size = BigInt(/^\d+$/.test(announced ?? '') ? (announced ?? 0) : info.bytesReceived);
  return {
    path: target,
    url_path: path,
    host: info.authority,
    scheme: info.scheme,
    method: info.method,
    headers: headersOf(requestHeaders, [
      [':path', target],
      [':method', info.method],
      [':authority', info.authority],
      [':scheme', info.scheme],
    ]),
    referer: requestHeaders.get('referer'),
    useragent: requestHeaders.get('user-agent'),
    time: timestampFromMs(info.startTimeMs),
    id: requestHeaders.get('x-request-id'),
    protocol: info.protocol,
    query: query.join('?'),
    duration: info.endMs < 0 ? null : durationOf(info.endMs - info.startMs),
    size,
    total_size: BigInt(info.bytesReceived + bytes),
  };
}

function response(info: StreamInfo): Attributes {
  const status = grpcStatusOf(info);
  const { upstreamRequestStartMs: sentMs, upstreamResponseStartMs: answeredMs } = info;
  return {
    code: info.responseCode === 0 ? null : BigInt(info.responseCode),
    code_details: info.responseCodeDetails,
    flags: BigInt(info.responseFlags),
    grpc_status: status === null ? null : BigInt(status),
    headers: headersOf(info.responseHeaders, []),
    trailers: headersOf(info.responseTrailers, []),
    size: BigInt(info.bytesSent),
    total_size: BigInt(info.bytesSent + sizeOf(info.responseHeaders) + sizeOf(info.responseTrailers)),
    backend_latency: sentMs < 0 || answeredMs < 0 ? null : durationOf(answeredMs - sentMs),
  };
}

function connection({ connection: facts, connectionTerminationDetails }: StreamInfo): Attributes {
  return {
    id: BigInt(facts.id),
    mtls: facts.clientCertificate === 'validated',
    requested_server_name: facts.requestedServerName,
    termination_details: connectionTerminationDetails,
    ...certificates(facts.tls),
  };
}

function upstream(info: StreamInfo): Attributes {
  return {
    ...(info.upstreamHost === null ? {} : place(info.upstreamHost)),
    local_address: info.upstreamLocalAddress,
    transport_failure_reason: info.upstreamTransportFailureReason,
    request_attempt_count: BigInt(info.attemptCount),
    ...certificates(info.upstreamTls),
  };
}

function certificates(tls: TlsFacts | null): Attributes {
  if (tls === null) return {};
  return {
    tls_version: tls.version,
    ...certificate(tls.own, 'local'),
    ...certificate(tls.peer, 'peer'),
    sha256_peer_certificate_digest: tls.peer?.sha256,
  };
}

function certificate(shown: CertificateFacts | null, whose: 'local' | 'peer'): Attributes {
  return {
    [`subject_${whose}_certificate`]: shown?.subject,
    [`dns_san_${whose}_certificate`]: shown?.names.dns[0],
    [`uri_san_${whose}_certificate`]: shown?.names.uri[0],
  };
}

function place(address: string): Attributes {
  const port = portOf(address);
  return { address, port: port === null ? null : BigInt(port) };
}

function headersOf(headers: HeaderList | null, pseudo: readonly (readonly [string, string])[]): Map<string, string> {
  const all = new Map(pseudo);
  for (const [name, value] of headers ?? []) {
    const before = all.get(name);
    all.set(name, before === undefined ? value : `${before},${value}`);
  }
  return all;
}

function sizeOf(headers: HeaderList | null): number {
  let bytes = 0;
  for (const text of headers?.flat ?? []) bytes += text.length;
  return bytes;
}

function mapOf(attributes: Attributes): Map<string, CelInput> {
  const map = new Map<string, CelInput>();
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) map.set(name, value);
  }
  return map;
}

/** As in Envoy `metadata.filter_metadata['namespace']` or, for dynamic metadata, the same. */
function metadataOf(metadata: FilterMetadata | ReadonlyMap<string, JsonValue> | null): Map<string, CelInput> {
  const namespaces = metadata instanceof Map ? Object.fromEntries(metadata) : (metadata ?? {});
  return new Map([['filter_metadata', jsonInput(namespaces as JsonValue)]]);
}

function jsonInput(value: JsonValue): CelInput {
  if (Array.isArray(value)) return value.map(jsonInput);
  if (typeof value !== 'object' || value === null) return value;
  return new Map(Object.entries(value).map(([name, item]) => [name, jsonInput(item)]));
}
