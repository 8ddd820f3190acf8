import type { HeaderList } from '@flotilla/http-codec';
import { GRPC_TIMEOUT, grpcTimeoutMs, grpcTimeoutText } from './grpc-timeout.ts';
import * as replies from './local-reply.ts';
import type { LocalReply } from '../ports/local-reply.ts';
import type { ManagerSettings, ManagerStats } from './manager-settings.ts';
import type { Route } from '@flotilla/route';
import type { StreamDeadlines, StreamTimeoutKind } from '../base/deadlines.ts';

/** Sets the deadlines that run from the beginning of a request, and tells the upstream what is left of gRPC's own. */
export function startStreamTimeouts(
  deadlines: StreamDeadlines,
  settings: ManagerSettings,
  headers: HeaderList,
  route: Route | null,
  idleTimeoutMs: number,
  isRequestEnded: boolean,
  startMs: number,
): void {
  if (idleTimeoutMs > 0) deadlines.set('stream-idle', idleTimeoutMs, startMs);
  if (settings.requestTimeoutMs > 0 && !isRequestEnded) deadlines.set('request', settings.requestTimeoutMs, startMs);
  const action = route?.action.kind === 'forward' ? route.action : null;
  const rule = action?.grpcTimeout?.bounds === 'stream' ? action.grpcTimeout : null;
  const grpc = rule === null || !headers.has(GRPC_TIMEOUT) ? null : grpcTimeoutMs(headers, rule);
  if (grpc !== null) headers.set(GRPC_TIMEOUT, grpcTimeoutText(grpc));
  const durationMs = grpc ?? action?.maxStreamDurationMs ?? settings.maxStreamDurationMs;
  if (durationMs > 0) deadlines.set('duration', durationMs, startMs);
}

/** How a request is answered whose time is up, and where that is counted. */
export function replyToTimeout(kind: StreamTimeoutKind, isRequestEnded: boolean, stats: ManagerStats): LocalReply {
  switch (kind) {
    case 'stream-idle':
      stats.idleTimeouts.value += 1;
      return isRequestEnded ? replies.streamIdleTimeout : replies.requestBodyIdleTimeout;
    case 'request':
      stats.requestTimeouts.value += 1;
      return replies.requestTimeout;
    case 'duration':
      stats.durationTimeouts.value += 1;
      return replies.maxDurationReached(isRequestEnded);
  }
}
