import type { ServerResponse } from 'node:http';
import { createContextValues, type ConnectRouter } from '@connectrpc/connect';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import type { NodeHandler, NodeResponse } from '@flotilla/http-port';
import type { Logger } from '@flotilla/observe';
import { type Caller, callerFrom, peerKey } from '../caller.ts';
import { peerOf } from './peer.ts';

/** The same services twice. */
export interface Routers {
  readonly ofKnown: ConnectRouter;
  /** With what strangers may send. */
  readonly ofStrangers: ConnectRouter;
  /** By which of them a call is served. Asked before anything of its messages is read. */
  isKnown(caller: Caller): boolean;
}

/**
 * A node:http and node:http2 listener for the calls of these routers. A request for another path goes to `fallback`.
 */
export function createNodeHandler(routers: Routers, fallback: NodeHandler | null, logger: Logger): NodeHandler {
  const ofKnown = byPath(routers.ofKnown);
  const ofStrangers = byPath(routers.ofStrangers);
  return (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    const peer = peerOf(request);
    const isKnown = ofKnown.has(path) && routers.isKnown(callerFrom(peer, request.headers.authorization ?? null));
    const handler = (isKnown ? ofKnown : ofStrangers).get(path);
    if (handler === undefined) {
      (fallback ?? replyNotFound)(request, response);
      return;
    }
    const values = createContextValues().set(peerKey, peer);
    let universal;
    try {
      universal = universalRequestFromNodeRequest(request, response, undefined, values);
    } catch {
      // No authority, or one that is none.
      replyError(response, 400, 'invalid_argument', 'the request has no usable host or :authority');
      return;
    }
    handler(universal)
      .then((reply) => universalResponseToNodeResponse(reply, response))
      .catch((error: unknown) => {
        // The peer went away while the reply was written; what a handler throws was turned into a reply before.
        if (logger.isDebug()) logger.debug('a reply could not be written', { path: handler.requestPath, error });
        response.destroy();
      });
  };
}

function byPath(router: ConnectRouter): ReadonlyMap<string, ConnectRouter['handlers'][number]> {
  return new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
}

const replyNotFound: NodeHandler = (request, response) =>
  replyError(response, 404, 'unimplemented', `no method at ${request.url ?? ''}`);

/** What the guard of the port does not let through. */
export function replyForbidden(response: NodeResponse, reason: string): void {
  replyError(response, 403, 'permission_denied', reason);
}

/** An error reply in the form of the Connect protocol; gRPC clients go by the HTTP status. */
function replyError(response: NodeResponse, status: number, code: string, message: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  // Only the overload is chosen here: both kinds of response take a text.
  (response as ServerResponse).end(JSON.stringify({ code, message }));
}
