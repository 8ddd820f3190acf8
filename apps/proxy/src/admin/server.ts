import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HttpPort, openHttpPort } from '@flotilla/http-port';
import { FlotillaError, type SocketAddress } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
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

export function text(body: string, status = 200): AdminReply {
  return { status, type: 'text/plain', body };
}

export function json(body: string): AdminReply {
  return { status: 200, type: 'application/json', body };
}

/**
 * Serves the administration pages, to programs and to pages of its own: `hosts` are further names of the port
 * (`libs/http-port`). Rejects with `system` when the port cannot be bound.
 */
export function serveAdmin(options: {
  readonly address: SocketAddress;
  readonly hosts: readonly string[];
  readonly routes: ReadonlyMap<string, AdminRoute>;
  readonly state: AdminState;
  readonly logger: Logger;
}): Promise<HttpPort> {
  const { address, hosts, routes, state, logger } = options;
  return openHttpPort({
    name: 'admin',
    address,
    hosts,
    logger,
    handler(request, response) {
      answer(request, routes, state)
        .catch((error: unknown) => {
          logger.error('an administration page failed', { path: request.url, error });
          return text(`${FlotillaError.from(error).message}\n`, 500);
        })
        .then((reply) => send(response, reply, request.method === 'HEAD'));
    },
  });
}

async function answer(
  request: IncomingMessage,
  routes: ReadonlyMap<string, AdminRoute>,
  state: AdminState,
): Promise<AdminReply> {
  const url = new URL(request.url ?? '/', 'http://admin');
  const route = routes.get(url.pathname);
  if (route === undefined) return text(`no such page: ${url.pathname}\n${help(routes)}`, 404);
  if (route.isMutating && request.method !== 'POST') {
    return text(`${url.pathname} changes the proxy; use POST\n`, 405);
  }
  request.resume();
  return route.page(state, url.searchParams);
}

function send(response: ServerResponse, reply: AdminReply, isHead: boolean): void {
  response.writeHead(reply.status, {
    'content-type': reply.type.startsWith('application/json') ? reply.type : `${reply.type}; charset=UTF-8`,
    'cache-control': 'no-cache, max-age=0',
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
