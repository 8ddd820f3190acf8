import type { HeaderList } from '@flotilla/http-codec';
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

/** The status of a gRPC call; null where there is none. */
export function grpcStatusOf(info: StreamInfo): number | null {
  const text = info.responseTrailers?.get('grpc-status') ?? info.responseHeaders?.get('grpc-status');
  const status = Number(text);
  return text === undefined || !Number.isInteger(status) ? null : status;
}

/** Null for an empty text. */
export function nonEmpty(text: string | null): string | null {
  return text === '' ? null : text;
}
