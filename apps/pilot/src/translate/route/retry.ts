import type { RetryPolicySchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { PreviousHostsPredicateSchema } from '@flotilla/wire/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js';
import { PreviousPrioritiesConfigSchema } from '@flotilla/wire/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js';
import type { HTTPRetry } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import type { MeshSettings } from '../../mesh/settings.ts';
import { type Init, typed } from '../protobuf.ts';

type RetryPolicy = Init<typeof RetryPolicySchema>;

// Istio's defaults outbound: what surely did not reach the application, twice.
const OUTBOUND_RETRY_ON = 'connect-failure,refused-stream,unavailable,cancelled';
// Inbound: the application closed a kept-alive connection before the request got there.
const INBOUND_RETRY_ON = 'reset-before-request';
const DEFAULT_ATTEMPTS = 2;
// Tries to pick another host before giving in, so that a retry does not go where it just failed.
const HOST_SELECTION_ATTEMPTS = 5n;

/** Retries of an outbound route: the rule's, else the mesh's, else the default. `undefined`: none. */
export function outboundRetryPolicy(retries: HTTPRetry | undefined, mesh: MeshSettings): RetryPolicy | undefined {
  const settings = retries ?? mesh.config.defaultHttpRetryPolicy;
  const attempts = settings?.attempts ?? DEFAULT_ATTEMPTS;
  if (attempts <= 0) return undefined;
  const policy = policyOf(settings?.retryOn || OUTBOUND_RETRY_ON, attempts, settings);
  const isRemembering = settings?.retryIgnorePreviousHosts !== false;
  return {
    ...policy,
    ...(isRemembering
      ? {
          retryHostPredicate: [
            {
              name: 'envoy.retry_host_predicates.previous_hosts',
              configType: { case: 'typedConfig', value: typed(PreviousHostsPredicateSchema, {}) },
            },
          ],
          hostSelectionRetryMaxAttempts: HOST_SELECTION_ATTEMPTS,
        }
      : {}),
    ...(settings?.retryRemoteLocalities === true
      ? {
          retryPriority: {
            name: 'envoy.retry_priorities.previous_priorities',
            configType: {
              case: 'typedConfig',
              value: typed(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }),
            },
          },
        }
      : {}),
  };
}

/** Retries from the inbound proxy to its application. */
export function inboundRetryPolicy(mesh: MeshSettings): RetryPolicy | undefined {
  const settings = mesh.config.defaultInboundHttpRetryPolicy;
  const attempts = settings?.attempts ?? DEFAULT_ATTEMPTS;
  if (attempts <= 0) return undefined;
  return policyOf(settings?.retryOn || INBOUND_RETRY_ON, attempts, settings);
}

function policyOf(retryOn: string, attempts: number, settings: HTTPRetry | undefined): RetryPolicy {
  const { conditions, statusCodes } = splitRetryOn(retryOn);
  return {
    retryOn: conditions.join(),
    numRetries: attempts,
    retriableStatusCodes: statusCodes,
    ...(settings?.perTryTimeout === undefined ? {} : { perTryTimeout: settings.perTryTimeout }),
    ...(settings?.backoff === undefined ? {} : { retryBackOff: { baseInterval: settings.backoff } }),
  };
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
