import type { RetryPolicySchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { PreviousHostsPredicateSchema } from '@flotilla/wire/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js';
import { PreviousPrioritiesConfigSchema } from '@flotilla/wire/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js';
import type { HTTPRetry } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import type { MeshSettings } from '../../mesh/settings.ts';
import { UNREACHED_MATCH } from '../unreached.ts';
import { type Init, milliseconds, toMs, typed } from '../protobuf.ts';

type RetryPolicy = Init<typeof RetryPolicySchema>;

// Inbound: the application closed a kept-alive connection before the request got there (Istio's default), or said that
// it takes no more on it.
const INBOUND_RETRY: RetryPolicy = { retryOn: 'reset-before-request,reset-idempotent,refused-stream', numRetries: 2 };
// Tries to pick another host before giving in, so that a retry does not go where it just failed.
const HOST_SELECTION_ATTEMPTS = 5n;

// Localities are priorities: those that failed twice are left out.
const REMOTE_LOCALITIES: RetryPolicy['retryPriority'] = {
  name: 'envoy.retry_priorities.previous_priorities',
  configType: { case: 'typedConfig', value: typed(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }) },
};

/** Retries of an outbound route: the rule's where it has any, otherwise the mesh's. `undefined`: none. */
export function outboundRetryPolicy(retries: HTTPRetry | undefined, mesh: MeshSettings): RetryPolicy | undefined {
  const standard = mesh.config.defaultHttpRetryPolicy;
  const attempts = retries?.attempts ?? standard.attempts;
  if (attempts <= 0) return undefined;
  const { conditions, statusCodes } = splitRetryOn(retries?.retryOn || standard.retryOn);
  const own = retries === undefined ? standard : null;
  const perTryTimeoutMs = own === null ? toMs(retries?.perTryTimeout) : own.perTryTimeoutMs;
  const backoffMs = own === null ? toMs(retries?.backoff) : own.backoffMs;
  // A connection that the other side's proxy could not make to its application is a failed connection, too.
  const isElsewhere = conditions.includes('connect-failure');
  return {
    retryOn: (isElsewhere ? [...conditions, 'retriable-headers'] : conditions).join(),
    numRetries: attempts,
    retriableStatusCodes: statusCodes,
    ...(isElsewhere ? { retriableHeaders: [UNREACHED_MATCH] } : {}),
    ...(perTryTimeoutMs === null ? {} : { perTryTimeout: milliseconds(perTryTimeoutMs) }),
    ...(backoffMs === null ? {} : { retryBackOff: { baseInterval: milliseconds(backoffMs) } }),
    ...(retries?.retryRemoteLocalities === true ? { retryPriority: REMOTE_LOCALITIES } : {}),
    ...(retries?.retryIgnorePreviousHosts === false
      ? {}
      : {
          retryHostPredicate: [
            {
              name: 'envoy.retry_host_predicates.previous_hosts',
              configType: { case: 'typedConfig', value: typed(PreviousHostsPredicateSchema, {}) },
            },
          ],
          hostSelectionRetryMaxAttempts: HOST_SELECTION_ATTEMPTS,
        }),
  };
}

/** Retries from the inbound proxy to its application. */
export function inboundRetryPolicy(): RetryPolicy {
  return INBOUND_RETRY;
}

/** `retryOn` may hold status codes among the conditions; Envoy wants them in a list, announced by a condition. */
export function splitRetryOn(retryOn: string): { readonly conditions: string[]; readonly statusCodes: number[] } {
  const parts = retryOn
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const statusCodes = parts.filter((part) => /^\d{3}$/.test(part)).map(Number);
  const conditions = parts.filter((part) => !/^\d+$/.test(part));
  if (statusCodes.length > 0 && !conditions.includes('retriable-status-codes'))
    conditions.push('retriable-status-codes');
  return { conditions, statusCodes };
}
