import type { HeaderList } from '@flotilla/http-codec';
import { GRPC_TIMEOUT, grpcTimeoutMs, grpcTimeoutText } from './grpc-timeout.ts';
import type { RouterSettings } from './filters/router.ts';
import { type ForwardAction, PLAIN_RETRY, retryOn, type RetryOn, type RetryPolicy } from '@flotilla/route';

// Orders of an internal caller; those of others were removed when the request came in.
const ROUTE_TIMEOUT = 'x-envoy-upstream-rq-timeout-ms';
const PER_TRY_TIMEOUT = 'x-envoy-upstream-rq-per-try-timeout-ms';
const EXPECTED_TIMEOUT = 'x-envoy-expected-rq-timeout-ms';
const MAX_RETRIES = 'x-envoy-max-retries';
const RETRY_ON = 'x-envoy-retry-on';
const RETRY_GRPC_ON = 'x-envoy-retry-grpc-on';
const RETRIABLE_STATUS_CODES = 'x-envoy-retriable-status-codes';
const RETRIABLE_HEADERS = 'x-envoy-retriable-header-names';
const UPSTREAM_DURATION = 'x-envoy-upstream-stream-duration-ms';
const TIMEOUT_REPLY = 'x-envoy-upstream-rq-timeout-alt-response';
/** Statistics under a name of the caller's are not kept; the router takes the name off all the same. */
const STATISTICS_NAME = 'x-envoy-upstream-alt-stat-name';
const HEDGE = 'x-envoy-hedge-on-per-try-timeout';

const ORDERS: ReadonlySet<string> = new Set([
  ROUTE_TIMEOUT,
  PER_TRY_TIMEOUT,
  EXPECTED_TIMEOUT,
  MAX_RETRIES,
  RETRY_ON,
  RETRY_GRPC_ON,
  RETRIABLE_STATUS_CODES,
  RETRIABLE_HEADERS,
  HEDGE,
  UPSTREAM_DURATION,
  TIMEOUT_REPLY,
  STATISTICS_NAME,
]);

export interface OrderTimeouts {
  /** 0: no limit. */
  readonly routeMs: number;
  readonly perTryMs: number;
  /** Of one try's stream, 0: no limit; null: the cluster's. */
  readonly upstreamDurationMs: number | null;
  /** What a request whose time is up is answered with. */
  readonly timeoutStatus: 504 | 204;
}

/** What a router is to do about time and retries. */
export interface RouterOrders {
  readonly timeouts: OrderTimeouts;
  /** Null: one try. */
  readonly retry: RetryPolicy | null;
  /** A try that takes too long is joined by another. */
  readonly hedges: boolean;
}

/** The route's time-outs and retries, or the caller's where its headers name others. Takes those headers off. */
export function takeOrders(headers: HeaderList, action: ForwardAction, settings: RouterSettings): RouterOrders {
  const hasOrders = holdsOrders(headers);
  return {
    timeouts: orderTimeouts(headers, hasOrders, action, settings),
    hedges: (hasOrders ? takeHedge(headers) : null) ?? action.hedges,
    retry: hasOrders ? takeRetry(headers, action.retry) : retryFor(headers, action.retry),
  };
}

/** One look at all names: hardly any request holds such a header. */
function holdsOrders({ flat }: HeaderList): boolean {
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at] ?? '';
    if (name.charCodeAt(0) === 0x78 && ORDERS.has(name)) return true;
  }
  return false;
}

function orderTimeouts(
  headers: HeaderList,
  hasOrders: boolean,
  action: ForwardAction,
  settings: RouterSettings,
): OrderTimeouts {
  const expected = hasOrders && settings.respectExpectedRqTimeout ? wholeNumber(headers.get(EXPECTED_TIMEOUT)) : null;
  const grpc = action.grpcTimeout?.bounds === 'response' ? grpcTimeoutMs(headers, action.grpcTimeout) : null;
  const ofRoute = hasOrders ? takeNumber(headers, ROUTE_TIMEOUT) : null;
  const ofTry = hasOrders ? takeNumber(headers, PER_TRY_TIMEOUT) : null;
  const routeMs = expected ?? ofRoute ?? grpc ?? action.timeoutMs;
  const perTryMs = ofTry ?? action.retry?.perTryTimeoutMs ?? 0;
  // A try may not take longer than the whole.
  const timeouts: OrderTimeouts = {
    routeMs,
    perTryMs: routeMs !== 0 && perTryMs >= routeMs ? 0 : perTryMs,
    upstreamDurationMs: hasOrders ? takeNumber(headers, UPSTREAM_DURATION) : null,
    timeoutStatus: hasOrders && headers.has(TIMEOUT_REPLY) ? 204 : 504,
  };
  if (hasOrders) for (const name of [TIMEOUT_REPLY, STATISTICS_NAME]) headers.remove(name);
  if (grpc !== null && routeMs > 0) headers.set(GRPC_TIMEOUT, grpcTimeoutText(timeouts.perTryMs || routeMs));
  return timeouts;
}

function retryFor(headers: HeaderList, policy: RetryPolicy | null): RetryPolicy | null {
  return policy === null || policy.isFor === null || policy.isFor(headers) ? policy : null;
}

/** What a caller asks for comes on top of the route's policy (Envoy, router filter, "x-envoy-retry-on"). */
function takeRetry(headers: HeaderList, policy: RetryPolicy | null): RetryPolicy | null {
  const words = new Set([...takeList(headers, RETRY_ON), ...takeList(headers, RETRY_GRPC_ON)]);
  const statusCodes = takeList(headers, RETRIABLE_STATUS_CODES).map(Number);
  const names = takeList(headers, RETRIABLE_HEADERS).map((name) => name.toLowerCase());
  const attempts = takeNumber(headers, MAX_RETRIES);
  if (policy === null ? words.size === 0 : retryFor(headers, policy) === null) return null;
  // The codes and names of the caller count for the route's words, too.
  const own = policy?.on;
  if (own !== undefined && own.statusCodes.size > 0) words.add('retriable-status-codes');
  if (own !== undefined && own.matchesRetriableHeaders !== null) words.add('retriable-headers');
  const asked = retryOn(words, [...(own?.statusCodes ?? []), ...statusCodes], (response) => {
    return own?.matchesRetriableHeaders?.(response) === true || names.some((name) => response.has(name));
  });
  return {
    ...(policy ?? PLAIN_RETRY),
    on: own === undefined ? asked : union(own, asked),
    attempts: attempts ?? policy?.attempts ?? PLAIN_RETRY.attempts,
  };
}

function union(a: RetryOn, b: RetryOn): RetryOn {
  return {
    fiveXx: a.fiveXx || b.fiveXx,
    gatewayError: a.gatewayError || b.gatewayError,
    reset: a.reset || b.reset,
    resetBeforeRequest: a.resetBeforeRequest || b.resetBeforeRequest,
    resetIdempotent: a.resetIdempotent || b.resetIdempotent,
    connectFailure: a.connectFailure || b.connectFailure,
    refusedStream: a.refusedStream || b.refusedStream,
    retriable4xx: a.retriable4xx || b.retriable4xx,
    envoyRatelimited: a.envoyRatelimited || b.envoyRatelimited,
    statusCodes: b.statusCodes,
    matchesRetriableHeaders: b.matchesRetriableHeaders,
    grpcStatuses: new Set([...a.grpcStatuses, ...b.grpcStatuses]),
  };
}

function takeHedge(headers: HeaderList): boolean | null {
  const text = headers.get(HEDGE);
  if (text === undefined) return null;
  headers.remove(HEDGE);
  return text === 'true' ? true : text === 'false' ? false : null;
}

function takeList(headers: HeaderList, name: string): string[] {
  const text = headers.getCombined(name);
  if (text === undefined) return [];
  headers.remove(name);
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function takeNumber(headers: HeaderList, name: string): number | null {
  const text = headers.get(name);
  if (text === undefined) return null;
  headers.remove(name);
  return wholeNumber(text);
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : null;
}
