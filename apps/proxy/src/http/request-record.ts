import type { RequestHead } from '@flotilla/http-codec';
import type { Clock } from '@flotilla/runtime';
import { type ConnectionInfo, StreamInfo } from '../observe/stream-info.ts';

/** Begins the record of a request, as the client sent it. */
export function requestRecord(
  head: RequestHead,
  isHttp2: boolean,
  connection: ConnectionInfo,
  clock: Clock,
): StreamInfo {
  const info = new StreamInfo(connection, clock.now(), clock.monotonicMs());
  info.protocol = isHttp2 ? 'HTTP/2' : head.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0';
  info.method = head.method;
  info.originalPath = head.path;
  info.path = head.path;
  info.authority = head.authority;
  info.requestHeaders = head.headers;
  return info;
}
