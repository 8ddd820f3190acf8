import { create } from '@bufbuild/protobuf';
import { type Duration, DurationSchema } from '@bufbuild/protobuf/wkt';
import type { HeaderList } from '@flotilla/http-codec';
import { AccessLogType } from '@flotilla/wire/envoy/data/accesslog/v3/accesslog_pb.js';
import type { StreamInfo } from './stream-info.ts';

/** A field of the request's head, pseudo fields among them. */
export function requestHeader(info: StreamInfo, name: string): string | null {
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

/** A field's value; null where there is none. */
export function field(headers: HeaderList | null, name: string): string | null {
  return headers?.get(name) ?? null;
}

/** The status that a gRPC call ended with; null where there is none, or none that is a number. */
export function grpcStatusOf(info: StreamInfo): number | null {
  const text = info.responseTrailers?.get('grpc-status') ?? info.responseHeaders?.get('grpc-status');
  const status = Number(text);
  return text === undefined || text.trim() === '' || !Number.isInteger(status) ? null : status;
}

/** Null for an empty text. */
export function nonEmpty(text: string | null): string | null {
  return text === '' ? null : text;
}

/** Names and values, pseudo headers among them. */
export function requestHeadersBytes(info: StreamInfo): number {
  const pseudo = [':method', ':path', ':authority', ':scheme'].reduce((sum, name) => {
    const value = requestHeader(info, name);
    return value === null ? sum : sum + name.length + value.length;
  }, 0);
  return pseudo + bytesOf(info.requestHeaders);
}

export function responseHeadersBytes(info: StreamInfo): number {
  return info.responseHeaders === null ? 0 : ':status200'.length + bytesOf(info.responseHeaders);
}

export function bytesOf(headers: HeaderList | null): number {
  let bytes = 0;
  for (const text of headers?.flat ?? []) bytes += text.length;
  return bytes;
}

/** Of a span that is measured in fractions of milliseconds. */
export function durationOf(ms: number): Duration {
  const seconds = Math.floor(ms / 1_000);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: Math.floor((ms - seconds * 1_000) * 1e6) });
}

/** What the record is logged for. */
export function logTypeOf({ isOfListener, protocol }: StreamInfo): AccessLogType {
  if (isOfListener) return AccessLogType.NotSet;
  return protocol === null ? AccessLogType.TcpConnectionEnd : AccessLogType.DownstreamEnd;
}
