import type { HeaderList } from '@flotilla/http-codec';
import { GRPC_TIMEOUT, grpcTimeoutMs, grpcTimeoutText } from './grpc-timeout.ts';
import type { RouterSettings } from './filters/router.ts';
import type { OrderTimeouts } from './order.ts';
import type { ForwardAction, RetryPolicy } from './route/route.ts';

// Orders of an internal caller; those of others were removed when the request came in.
const ROUTE_TIMEOUT = 'x-envoy-upstream-rq-timeout-ms';
const PER_TRY_TIMEOUT = 'x-envoy-upstream-rq-per-try-timeout-ms';
const EXPECTED_TIMEOUT = 'x-envoy-expected-rq-timeout-ms';
const MAX_RETRIES = 'x-envoy-max-retries';

/** The route's time-outs, or the caller's where its headers name others. Takes those headers off. */
export function orderTimeouts(headers: HeaderList, action: ForwardAction, settings: RouterSettings): OrderTimeouts {
  const expected = settings.respectExpectedRqTimeout ? milliseconds(headers.get(EXPECTED_TIMEOUT)) : null;
  const grpc = action.grpcTimeout?.bounds === 'response' ? grpcTimeoutMs(headers, action.grpcTimeout) : null;
  const routeMs = expected ?? takeMilliseconds(headers, ROUTE_TIMEOUT) ?? grpc ?? action.timeoutMs;
  const perTryMs = takeMilliseconds(headers, PER_TRY_TIMEOUT) ?? action.retry?.perTryTimeoutMs ?? 0;
  // A try may not take longer than the whole.
  const timeouts = { routeMs, perTryMs: routeMs !== 0 && perTryMs >= routeMs ? 0 : perTryMs };
  if (grpc !== null && routeMs > 0) headers.set(GRPC_TIMEOUT, grpcTimeoutText(timeouts.perTryMs || routeMs));
  return timeouts;
}

/** The caller's number of retries, null for the policy's. Takes the header off. */
export function takeMaxRetries(headers: HeaderList, policy: RetryPolicy | null): number | null {
  const text = headers.get(MAX_RETRIES);
  if (text === undefined) return null;
  headers.remove(MAX_RETRIES);
  return policy === null ? null : milliseconds(text);
}

function takeMilliseconds(headers: HeaderList, name: string): number | null {
  const text = headers.get(name);
  if (text === undefined) return null;
  headers.remove(name);
  return milliseconds(text);
}

function milliseconds(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : null;
}
