import { didYouMean, quote } from '@flotilla/model';
import type { FaultList, FieldPath } from '@flotilla/model';
import type { HTTPRetry } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { checkDuration, checkNotNegative } from './field.ts';

// Envoy's words for x-envoy-retry-on and x-envoy-retry-grpc-on.
const RETRY_ON = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
];

export function checkRetries(retries: HTTPRetry | undefined, path: FieldPath, faults: FaultList): void {
  if (retries === undefined) return;
  checkNotNegative(retries.attempts, [...path, 'attempts'], faults);
  const asksForMore = retries.perTryTimeout !== undefined || retries.retryOn !== '' || retries.backoff !== undefined;
  if (retries.attempts === 0 && asksForMore) {
    faults.error(path, 'attempts is 0, which means no retries, and the other fields say how to retry');
  }
  checkDuration(retries.perTryTimeout, [...path, 'perTryTimeout'], faults);
  checkDuration(retries.backoff, [...path, 'backoff'], faults);
  if (retries.retryOn === '') return;
  for (const word of retries.retryOn.split(',').map((each) => each.trim())) {
    if (RETRY_ON.includes(word) || isStatus(word)) continue;
    const hint = didYouMean(word, RETRY_ON) || `Allowed: HTTP statuses and ${RETRY_ON.join(', ')}.`;
    faults.error([...path, 'retryOn'], `unknown condition ${quote(word)}`, hint);
  }
}

function isStatus(word: string): boolean {
  return /^[1-5]\d\d$/.test(word);
}
