import type { HeaderList } from '@flotilla/http-codec';
import type { StreamInfo } from '@flotilla/stream';
import type { UpstreamHost, UpstreamRequest } from '../ports/cluster-manager.ts';
import type { OrderTimeouts, RouterOrders } from './router-headers.ts';
import type { ClusterChoice, ForwardAction, RetryPolicy, RoutableRequest, Route } from '@flotilla/route';

/** What is to be sent upstream, decided once; each attempt sends it to a host. */
export interface Order {
  readonly route: Route;
  readonly action: ForwardAction;
  readonly choice: ClusterChoice;
  readonly method: string;
  readonly path: string;
  authority: string;
  readonly scheme: string;
  readonly headers: HeaderList;
  readonly body: 'none' | 'chunked' | number;
  readonly upgrade: string | null;
  /** The client speaks HTTP/2, for clusters that go by that. */
  readonly isHttp2: boolean;
  readonly timeouts: OrderTimeouts;
  /** Null: one try. */
  readonly retry: RetryPolicy | null;
  /** A try that takes too long is joined by another. */
  readonly hedges: boolean;
  /** For balancers that go by it; null: the request has none. */
  readonly hash: bigint | null;
}

/**
 * Applies the route's header edits and rewrites to the request, in Envoy's order: weighted cluster, route, then
 * authority and path.
 */
export function placeOrder(
  request: RoutableRequest,
  route: Route,
  action: ForwardAction,
  choice: ClusterChoice,
  body: Order['body'],
  upgrade: string | null,
  isHttp2: boolean,
  { timeouts, retry, hedges }: RouterOrders,
  info: StreamInfo,
): Order {
  const { headers } = request;
  if (choice.request !== null) choice.request(headers, info);
  if (route.request !== null) route.request(headers, info);
  if (action.rewrite !== null) action.rewrite(request);
  if (choice.authority !== null) {
    request.authority = choice.authority;
  }
  if (typeof body === 'number') headers.remove('content-length');
  info.method = request.method;
  info.path = request.path;
  info.authority = request.authority;
  // Of the request as it goes out, as in Envoy.
  const hash = action.hash === null ? null : action.hash(request, info);
  return {
    route,
    action,
    choice,
    method: request.method,
    path: request.path,
    authority: request.authority,
    scheme: request.scheme,
    headers,
    body,
    upgrade,
    isHttp2,
    timeouts,
    retry,
    hedges,
    hash,
  };
}

/** The request as one host gets it. */
export function requestFor(order: Order, host: UpstreamHost, info: StreamInfo): UpstreamRequest {
  if (order.action.autoHostRewrite && host.hostname !== '') order.authority = host.hostname;
  return {
    method: order.method,
    path: order.path,
    authority: order.authority,
    headers: order.headers,
    body: order.body,
    scheme: order.scheme,
    upgrade: order.upgrade,
    isHttp2: order.isHttp2,
    priority: order.action.priority,
    info,
  };
}
