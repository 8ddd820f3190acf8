import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { HttpError } from './http-error.ts';
import { replyJson } from './reply.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The path segment that stood where the route's path says `*`, undecoded; empty when the path has no `*`. */
  readonly segment: string;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  /** `/details/*`: a `*` stands for one segment that is not empty. */
  readonly path: string;
  readonly handle: (exchange: Exchange) => void | Promise<void>;
}

/**
 * Builds the request listener for a table of routes; the first that fits wins. HEAD is served by GET's route. A path
 * without a route is 404, a method without one 405; an `HttpError` gives its own status and any other error a 500 and a log line.
 */
export function compileRoutes(routes: readonly Route[]): RequestListener {
  const matchers = routes.map((route) => ({ route, match: compilePath(route.path) }));

  const dispatch = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = requestPath(request);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const allowed: string[] = [];
    for (const { route, match } of matchers) {
      const segment = match(path);
      if (segment === null) continue;
      if (route.method === method) return route.handle({ request, response, segment });
      allowed.push(route.method);
    }
    if (allowed.length === 0) throw new HttpError(404, `nothing is served at ${path}`);
    replyJson(response, 405, { error: `${path} takes ${allowed.join(', ')}` }, { allow: allowed.join(', ') });
  };

  return (request, response) => {
    dispatch(request, response).catch((error: unknown) => replyError(response, error));
  };
}

/** The product id of a path, which all four services spell as a short run of digits. */
export function parseProductId(segment: string): number {
  if (!/^\d{1,9}$/.test(segment)) throw new HttpError(400, 'the product id must be a number');
  return Number(segment);
}

function compilePath(path: string): (actual: string) => string | null {
  const star = path.indexOf('*');
  if (star < 0) return (actual) => (actual === path ? '' : null);
  const before = path.slice(0, star);
  const after = path.slice(star + 1);
  return (actual) => {
    const end = actual.length - after.length;
    if (end <= before.length || !actual.startsWith(before) || !actual.endsWith(after)) return null;
    const segment = actual.slice(before.length, end);
    return segment.includes('/') ? null : segment;
  };
}

/** Without the query; a request line in absolute form (RFC 9112, section 3.2.2) is cut down to its path. */
function requestPath(request: IncomingMessage): string {
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (url === null) throw new HttpError(400, 'the request target is not a URL');
  return url.pathname;
}

function replyError(response: ServerResponse, error: unknown): void {
  if (!(error instanceof HttpError)) console.error(error);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const [status, message] = error instanceof HttpError ? [error.status, error.message] : [500, 'internal error'];
  replyJson(response, status, { error: message });
}
