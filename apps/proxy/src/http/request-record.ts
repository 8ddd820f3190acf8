import type { RequestHead } from '@flotilla/http-codec';
import type { Clock } from '@flotilla/runtime';
import { type ConnectionInfo, ResponseFlag, StreamInfo } from '@flotilla/stream';
import type { ManagerSettings } from './manager-settings.ts';

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

/** Counts and records an HTTP/2 request whose head is malformed: nothing of it is known, and nothing answers it. */
export function recordMalformed(settings: ManagerSettings, connection: ConnectionInfo, details: string): void {
  const { stats, ctx, records } = settings;
  stats.requests.value += 1;
  stats.resets.value += 1;
  const info = new StreamInfo(connection, ctx.clock.now(), ctx.clock.monotonicMs());
  info.protocol = 'HTTP/2';
  info.responseFlags = ResponseFlag.DownstreamProtocolError;
  info.responseCodeDetails = details;
  info.endMs = info.startMs;
  for (const record of records) record(info);
}
