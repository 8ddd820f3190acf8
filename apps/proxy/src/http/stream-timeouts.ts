import * as replies from './local-reply.ts';
import type { LocalReply } from './local-reply.ts';
import type { ManagerSettings, ManagerStats } from './manager-settings.ts';
import type { Route } from './route/route.ts';
import type { StreamDeadlines, TimeoutKind } from './timeout.ts';

/** Sets the deadlines that run from the beginning of a request. */
export function startStreamTimeouts(
  deadlines: StreamDeadlines,
  settings: ManagerSettings,
  route: Route | null,
  idleTimeoutMs: number,
  isRequestEnded: boolean,
  startMs: number,
): void {
  if (idleTimeoutMs > 0) deadlines.set('stream-idle', idleTimeoutMs, startMs);
  if (settings.requestTimeoutMs > 0 && !isRequestEnded) deadlines.set('request', settings.requestTimeoutMs, startMs);
  const own = route?.action.kind === 'forward' ? route.action.maxStreamDurationMs : null;
  const durationMs = own ?? settings.maxStreamDurationMs;
  if (durationMs > 0) deadlines.set('duration', durationMs, startMs);
}

/** How a request is answered whose time is up, and where that is counted. */
export function replyToTimeout(
  kind: Exclude<TimeoutKind, 'route' | 'per-try'>,
  isRequestEnded: boolean,
  stats: ManagerStats,
): LocalReply {
  switch (kind) {
    case 'stream-idle':
      stats.idleTimeouts.value += 1;
      return isRequestEnded ? replies.streamIdleTimeout : replies.requestBodyIdleTimeout;
    case 'request':
      stats.requestTimeouts.value += 1;
      return replies.requestTimeout;
    case 'duration':
      return replies.maxDurationReached;
  }
}
