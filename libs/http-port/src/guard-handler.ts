import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Logger } from '@flotilla/observe';
import type { Guard } from './guard.ts';

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;
/** A handler of requests of either version of HTTP, or of one. */
export type NodeHandler<Request = NodeRequest, Response = NodeResponse> = (
  request: Request,
  response: Response,
) => void;

export interface GuardHandlerOptions {
  readonly guard: Guard;
  readonly logger: Logger;
  /** Answers what the guard refuses; by default 403 and the reason as plain text. */
  readonly refuse?: (response: NodeResponse, reason: string) => void;
}

/** What browsers are told with every answer: no guessing of types, no frames, no reading by pages of others. */
const FOR_BROWSERS = [
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['cross-origin-resource-policy', 'same-origin'],
] as const;

/** The same handler behind the guard: what it refuses never reaches `handler`. */
export function guardHandler<Request extends NodeRequest, Response extends NodeResponse>(
  handler: NodeHandler<Request, Response>,
  options: GuardHandlerOptions,
): NodeHandler<Request, Response> {
  const { guard, logger, refuse = refuseWithText } = options;
  let refused = 0;
  return (request, response) => {
    for (const [name, value] of FOR_BROWSERS) response.setHeader(name, value);
    const reason = guard(request);
    if (reason === null) {
      handler(request, response);
      return;
    }
    refused += 1;
    // The 1st, 2nd, 4th, 8th, …: a page that keeps asking does not fill the log.
    if ((refused & (refused - 1)) === 0) {
      logger.warn('a request was refused', { reason, path: request.url, peer: request.socket.remoteAddress, refused });
    }
    request.resume();
    refuse(response, reason);
  };
}

function refuseWithText(response: NodeResponse, reason: string): void {
  response.statusCode = 403;
  response.setHeader('content-type', 'text/plain; charset=UTF-8');
  // Only the overload is chosen here: both kinds of response take a text.
  (response as ServerResponse).end(`${reason}\n`);
}
