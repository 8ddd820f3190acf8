import { HeaderList } from '@flotilla/http-codec';
import type { StreamInfo } from '@flotilla/stream';
import type { ManagerSettings } from './manager-settings.ts';
import { composeDirect, type ComposedReply, composeReply } from './local-reply.ts';
import type { LocalReply } from '../ports/local-reply.ts';
import type { ClusterChoice, DirectAction, RedirectAction, RoutableRequest, Route } from '@flotilla/route';

/** What the proxy's own answers are made from. */
export interface AnsweredRequest extends RoutableRequest {
  readonly info: StreamInfo;
  readonly settings: Pick<ManagerSettings, 'localReplies'>;
  readonly route: Route | null;
  readonly choice: ClusterChoice | null;
}

/**
 * A local reply as this request gets it, noted in its record. A route that forwards edits the replies that the proxy
 * makes in its place, too (as Envoy).
 */
export function answerLocally(reply: LocalReply, request: AnsweredRequest): ComposedReply {
  const { info, route } = request;
  info.responseFlags |= reply.flags;
  info.responseCodeDetails = reply.details;
  const headers = new HeaderList();
  if (route !== null && route.attemptCountInResponse && info.attemptCount > 0) {
    headers.append('x-envoy-attempt-count', String(info.attemptCount));
  }
  if (route !== null && route.action.kind === 'forward') {
    // Before the reply has a status: `%RESPONSE_CODE%` is 0 here.
    info.responseCode = 0;
    request.choice?.response?.(headers, info);
    route.response?.(headers, info);
  }
  const text = request.settings.localReplies?.(reply.status, reply.body, headers, info) ?? null;
  return composeReply(reply, request.headers, headers, text);
}

/** The answer of a route that redirects or answers itself, noted in the request's record. */
export function answerDirectly(
  action: RedirectAction | DirectAction,
  route: Route,
  request: AnsweredRequest,
): ComposedReply {
  const { info } = request;
  const { localReplies } = request.settings;
  const answer = composeDirect(
    action,
    request,
    localReplies === null ? null : (status, body, headers) => localReplies(status, body, headers, info),
  );
  info.responseHeaders = answer.headers;
  info.responseCodeDetails = 'direct_response';
  route.response?.(answer.headers, info);
  return answer;
}
