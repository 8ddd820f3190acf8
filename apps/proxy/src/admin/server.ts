import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { FlotillaError, formatAddress, type SocketAddress } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { closeFollows, logged } from '@flotilla/sockets/errors';
import { createHttpServer } from '@flotilla/sockets/http';
import { listen } from '@flotilla/sockets/tcp';
import type { AdminState } from './admin-state.ts';

/** What a page answers. */
export interface AdminReply {
  readonly status: number;
  readonly type: 'text/plain' | 'application/json' | 'text/html' | 'text/plain; version=0.0.4';
  readonly body: string;
}

export type AdminPage = (state: AdminState, query: URLSearchParams) => AdminReply | Promise<AdminReply>;

export interface AdminRoute {
  readonly help: string;
  /** Changes something: POST only. */
  readonly isMutating: boolean;
  readonly page: AdminPage;
}

export interface AdminServer {
  readonly address: SocketAddress;
  close(): Promise<void>;
}

export function text(body: string, status = 200): AdminReply {
  return { status, type: 'text/plain', body };
}

export function json(body: string): AdminReply {
  return { status: 200, type: 'application/json', body };
}

/**
 * Serves the administration pages. Only names that no foreign web page can bring here are answered: an IP address
 * or `localhost` as Host, so a browser cannot be led to it by DNS rebinding. Rejects with `system` when the port
 * cannot be bound.
 */
export async function serveAdmin(options: {
  readonly address: SocketAddress;
  readonly routes: ReadonlyMap<string, AdminRoute>;
  readonly state: AdminState;
  readonly logger: Logger;
}): Promise<AdminServer> {
  const owner = {
    onError: logged(options.logger, 'accepting on the administration port'),
    onMessageError: closeFollows,
  };
  const server = createHttpServer({ requestTimeout: 10_000 }, owner, (request, response) => {
    answer(request, options.routes, options.state)
      .catch((error: unknown) => {
        options.logger.error('an administration page failed', { path: request.url, error });
        return text(`${FlotillaError.from(error).message}\n`, 500);
      })
      .then((reply) => send(response, reply, request.method === 'HEAD'));
  });
  const { host, port } = options.address;
  try {
    await listen(server, { host, port });
  } catch (error) {
    throw FlotillaError.from(error, 'system').within(`admin cannot listen on ${formatAddress(options.address)}`);
  }
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new FlotillaError('internal', 'admin has no TCP address');
  return {
    address: { host: bound.address, port: bound.port },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(
  request: IncomingMessage,
  routes: ReadonlyMap<string, AdminRoute>,
  state: AdminState,
): Promise<AdminReply> {
  if (!isTrustedHost(request.headers.host)) {
    return text('Host must be an IP address or localhost\n', 403);
  }
  const url = new URL(request.url ?? '/', 'http://admin');
  const route = routes.get(url.pathname);
  if (route === undefined) return text(`no such page: ${url.pathname}\n${help(routes)}`, 404);
  if (route.isMutating && request.method !== 'POST') {
    return text(`${url.pathname} changes the proxy; use POST\n`, 405);
  }
  request.resume();
  return route.page(state, url.searchParams);
}

function isTrustedHost(host: string | undefined): boolean {
  if (host === undefined) return true; // HTTP/1.0, which no browser speaks
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0;
}

function send(response: ServerResponse, reply: AdminReply, isHead: boolean): void {
  response.writeHead(reply.status, {
    'content-type': reply.type.startsWith('application/json') ? reply.type : `${reply.type}; charset=UTF-8`,
    'cache-control': 'no-cache, max-age=0',
    'x-content-type-options': 'nosniff',
    ...(reply.status === 405 ? { allow: 'POST' } : {}),
  });
  response.end(isHead ? undefined : reply.body);
}

/** One line a page. */
export function help(routes: ReadonlyMap<string, AdminRoute>): string {
  return [...routes]
    .map(([path, { help: line, isMutating }]) => `  ${path}${isMutating ? ' (POST)' : ''}: ${line}\n`)
    .join('');
}
