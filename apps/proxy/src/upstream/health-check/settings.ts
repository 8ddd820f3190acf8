import { type Duration, durationMs } from '@bufbuild/protobuf/wkt';
import {
  type HealthCheck,
  type HealthCheck_GrpcHealthCheck as GrpcCheck,
  type HealthCheck_HttpHealthCheck as HttpCheck,
  type HealthCheck_Payload as Payload,
  type HealthCheck_TcpHealthCheck as TcpCheck,
} from '@flotilla/wire/envoy/config/core/v3/health_check_pb.js';
import { RequestMethod } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { CodecClientType } from '@flotilla/wire/envoy/type/v3/http_pb.js';
import type { Int64Range } from '@flotilla/wire/envoy/type/v3/range_pb.js';
import { HeaderList } from '@flotilla/http-codec';
import { refuse } from '@flotilla/envoy';

/** A `HealthCheck`, compiled. Times in milliseconds. */
export interface HealthCheckSettings {
  readonly timeoutMs: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
  readonly intervals: Intervals;
  /** In place of the endpoint's port; null: that one. */
  readonly port: number | null;
  readonly probe: ProbeSettings;
}

export interface Intervals {
  readonly initialJitterMs: number;
  /** Added at random, and as per cent of the interval. */
  readonly jitterMs: number;
  readonly jitterPercent: number;
  readonly healthyMs: number;
  readonly unhealthyMs: number;
  /** After a host's health changed. */
  readonly healthyEdgeMs: number;
  readonly unhealthyEdgeMs: number;
  /** While the cluster has had no connection. */
  readonly noTrafficMs: number;
  readonly noTrafficHealthyMs: number;
}

export type ProbeSettings = HttpProbeSettings | TcpProbeSettings | GrpcProbeSettings;

export interface HttpProbeSettings {
  readonly kind: 'http';
  readonly isHttp2: boolean;
  readonly method: string;
  /** Empty: the cluster's name. */
  readonly host: string;
  readonly path: string;
  readonly headers: HeaderList;
  readonly removed: ReadonlySet<string>;
  readonly isExpected: (status: number) => boolean;
  /** A failure that counts towards the threshold; others make the host unhealthy at once. */
  readonly isRetriable: (status: number) => boolean;
  readonly body: Buffer | null;
  /** What the response's body must hold, in this order. */
  readonly receive: readonly Buffer[];
  /** How much of the body is looked at. */
  readonly maxBodyBytes: number;
}

export interface TcpProbeSettings {
  readonly kind: 'tcp';
  readonly send: Buffer | null;
  readonly receive: readonly Buffer[];
}

export interface GrpcProbeSettings {
  readonly kind: 'grpc';
  readonly service: string;
  readonly authority: string;
  readonly metadata: HeaderList;
}

/** Compiles `health_checks`: one at most, as in Envoy. Throws `invalid`. */
export function compileHealthCheck(protos: readonly HealthCheck[]): HealthCheckSettings | null {
  const [proto, ...more] = protos;
  if (proto === undefined) return null;
  if (more.length > 0) refuse('health_checks', 'has more than one');
  const healthyMs = needed(proto.interval, 'interval');
  const unhealthyMs = millis(proto.unhealthyInterval, healthyMs);
  const noTrafficMs = millis(proto.noTrafficInterval, 60_000);
  return {
    timeoutMs: needed(proto.timeout, 'timeout'),
    healthyThreshold: threshold(proto.healthyThreshold, 'healthy_threshold'),
    unhealthyThreshold: threshold(proto.unhealthyThreshold, 'unhealthy_threshold'),
    intervals: {
      initialJitterMs: millis(proto.initialJitter, 0),
      jitterMs: millis(proto.intervalJitter, 0),
      jitterPercent: proto.intervalJitterPercent,
      healthyMs,
      unhealthyMs,
      healthyEdgeMs: millis(proto.healthyEdgeInterval, healthyMs),
      unhealthyEdgeMs: millis(proto.unhealthyEdgeInterval, unhealthyMs),
      noTrafficMs,
      noTrafficHealthyMs: millis(proto.noTrafficHealthyInterval, noTrafficMs),
    },
    port: proto.altPort ?? null,
    probe: compileProbe(proto.healthChecker),
  };
}

function compileProbe(checker: HealthCheck['healthChecker']): ProbeSettings {
  switch (checker.case) {
    case 'httpHealthCheck':
      return compileHttp(checker.value);
    case 'tcpHealthCheck':
      return compileTcp(checker.value);
    case 'grpcHealthCheck':
      return compileGrpc(checker.value);
    default:
      return refuse(
        'health_checks[0].health_checker',
        'is missing: set http_health_check, tcp_health_check or grpc_health_check',
      );
  }
}

function compileHttp(proto: HttpCheck): HttpProbeSettings {
  const path = 'health_checks[0].http_health_check';
  if (proto.path === '') refuse(`${path}.path`, 'is empty');
  return {
    kind: 'http',
    isHttp2: proto.codecClientType === CodecClientType.HTTP2,
    method: proto.method === RequestMethod.METHOD_UNSPECIFIED ? 'GET' : RequestMethod[proto.method],
    host: proto.host,
    path: proto.path,
    headers: plainHeaders(proto.requestHeadersToAdd, `${path}.request_headers_to_add`),
    removed: new Set(proto.requestHeadersToRemove.map((name) => name.toLowerCase())),
    isExpected: proto.expectedStatuses.length === 0 ? (status) => status === 200 : inRanges(proto.expectedStatuses),
    isRetriable: inRanges(proto.retriableStatuses),
    body: payloadOf(proto.send, `${path}.send`),
    receive: proto.receive.flatMap((each, index) => payloadOf(each, `${path}.receive[${index}]`) ?? []),
    maxBodyBytes: bodyLimitOf(proto.responseBufferSize),
  };
}

/** 0: no limit. */
function bodyLimitOf(bytes: bigint | undefined): number {
  if (bytes === 0n) return Infinity;
  return bytes === undefined ? 1024 : Number(bytes);
}

function compileTcp(proto: TcpCheck): TcpProbeSettings {
  const path = 'health_checks[0].tcp_health_check';
  return {
    kind: 'tcp',
    send: payloadOf(proto.send, `${path}.send`),
    receive: proto.receive.flatMap((each, index) => payloadOf(each, `${path}.receive[${index}]`) ?? []),
  };
}

function compileGrpc(proto: GrpcCheck): GrpcProbeSettings {
  return {
    kind: 'grpc',
    service: proto.serviceName,
    authority: proto.authority,
    metadata: plainHeaders(proto.initialMetadata, 'health_checks[0].grpc_health_check.initial_metadata'),
  };
}

/** Headers of checks are sent as they stand: there is no request that operators could tell of. */
function plainHeaders(options: HttpCheck['requestHeadersToAdd'], path: string): HeaderList {
  const headers = new HeaderList();
  options.forEach(({ header }, index) => {
    if (header === undefined) return refuse(`${path}[${index}].header`, 'is missing');
    const value = header.rawValue.length > 0 ? Buffer.from(header.rawValue).toString('latin1') : header.value;
    if (value.includes('%')) refuse(`${path}[${index}].header.value`, 'holds an operator, which is not supported here');
    headers.append(header.key.toLowerCase(), value);
  });
  return headers;
}

function inRanges(ranges: readonly Int64Range[]): (status: number) => boolean {
  return (status) => ranges.some(({ start, end }) => status >= Number(start) && status < Number(end));
}

/** `text` is hexadecimal. */
function payloadOf(payload: Payload | undefined, path: string): Buffer | null {
  switch (payload?.payload.case) {
    case 'text': {
      const text = payload.payload.value;
      if (!/^(?:[0-9a-fA-F]{2})+$/.test(text)) refuse(`${path}.text`, `"${text}" is not hexadecimal`);
      return Buffer.from(text, 'hex');
    }
    case 'binary':
      return Buffer.from(payload.payload.value);
    case undefined:
      return null;
  }
}

function needed(duration: Duration | undefined, field: string): number {
  const ms = millis(duration, 0);
  return ms > 0 ? ms : refuse(`health_checks[0].${field}`, 'is missing or 0');
}

function threshold(value: number | undefined, field: string): number {
  return value === undefined ? refuse(`health_checks[0].${field}`, 'is missing') : Math.max(1, value);
}

function millis(duration: Duration | undefined, absent: number): number {
  return duration === undefined ? absent : durationMs(duration);
}
