import { durationMs } from '@bufbuild/protobuf/wkt';
import type { HeaderList } from '@flotilla/http-codec';
import { compileHeaderMatcher } from '@flotilla/match';
import {
  type HeaderMatcher,
  type RetryPolicy as RetryProto,
  RetryPolicy_ResetHeaderFormat as ResetFormat,
  type RetryPolicy_RetryHostPredicate as HostPredicate,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { PreviousPrioritiesConfigSchema } from '@flotilla/wire/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js';
import { headerMatchOf, inField, refuse, unpackValid } from '@flotilla/envoy';
import { headerValues } from './request-match.ts';
import type { ResetHeader, RetryOn, RetryPolicy } from './route.ts';

/** Envoy's default of `upstream.base_retry_backoff_ms`. */
const DEFAULT_BASE_INTERVAL_MS = 25;
/** Without `max_interval` the back-off grows to ten times its base. */
const DEFAULT_MAX_INTERVAL_FACTOR = 10;

const DEFAULT_MAX_RESET_INTERVAL_MS = 300_000;

const GRPC_STATUS_OF_WORD: ReadonlyMap<string, number> = new Map([
  ['cancelled', 1],
  ['deadline-exceeded', 4],
  ['resource-exhausted', 8],
  ['internal', 13],
  ['unavailable', 14],
]);

/**
 * A condition of our own, which Envoy passes over: the connection ended before any byte of an answer, and the request's
 * method says that it may be sent again (RFC 9110, section 9.2.2).
 */
const RESET_IDEMPOTENT = 'reset-idempotent';

const OTHER_WORDS: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  RESET_IDEMPOTENT,
  'connect-failure',
  'refused-stream',
  'retriable-4xx',
  'envoy-ratelimited',
  'retriable-status-codes',
  'retriable-headers',
  // Says something about HTTP/3 alone.
  'http3-post-connect-failure',
]);

/** A word that `retry_on` may hold. */
export function isRetryWord(word: string): boolean {
  return OTHER_WORDS.has(word) || GRPC_STATUS_OF_WORD.has(word);
}

/** What is in force where a caller asks for retries and the route has no policy. */
export const PLAIN_RETRY: Omit<RetryPolicy, 'on'> = {
  attempts: 1,
  isFor: null,
  perTryTimeoutMs: 0,
  perTryIdleTimeoutMs: 0,
  baseIntervalMs: DEFAULT_BASE_INTERVAL_MS,
  maxIntervalMs: DEFAULT_BASE_INTERVAL_MS * DEFAULT_MAX_INTERVAL_FACTOR,
  avoidPreviousHosts: false,
  avoidPrioritiesEvery: 0,
  hostSelectionAttempts: 1,
  resetHeaders: [],
  maxResetIntervalMs: DEFAULT_MAX_RESET_INTERVAL_MS,
};

/** Compiles a retry policy; null when it retries nothing. Throws `invalid`, naming the field. */
export function compileRetryPolicy(proto: RetryProto | undefined, path: string): RetryPolicy | null {
  if (proto === undefined) return null;
  const on = compileRetryOn(proto, path);
  const avoidPreviousHosts = proto.retryHostPredicate.map((predicate, index) =>
    requirePreviousHosts(predicate, `${path}.retry_host_predicate[${index}]`),
  );
  const attempts = proto.numRetries ?? 1;
  if (on === null) return null;
  return {
    attempts,
    on,
    isFor:
      proto.retriableRequestHeaders.length === 0
        ? null
        : compileAnyHeader(proto.retriableRequestHeaders, `${path}.retriable_request_headers`),
    perTryTimeoutMs: proto.perTryTimeout === undefined ? 0 : durationMs(proto.perTryTimeout),
    perTryIdleTimeoutMs: proto.perTryIdleTimeout === undefined ? 0 : durationMs(proto.perTryIdleTimeout),
    ...compileBackOff(proto, `${path}.retry_back_off`),
    ...compileResetHeaders(proto, `${path}.rate_limited_retry_back_off`),
    avoidPreviousHosts: avoidPreviousHosts.length > 0,
    avoidPrioritiesEvery: compileRetryPriority(proto.retryPriority, `${path}.retry_priority`),
    hostSelectionAttempts: Math.max(1, Number(proto.hostSelectionRetryMaxAttempts)),
  };
}

function requirePreviousHosts({ name, configType }: HostPredicate, path: string): true {
  const typeUrl = configType.case === 'typedConfig' ? configType.value.typeUrl : '';
  if (name === 'envoy.retry_host_predicates.previous_hosts' || typeUrl.endsWith('.PreviousHostsPredicate')) return true;
  return refuse(path, `"${name}" is not supported`, 'Only envoy.retry_host_predicates.previous_hosts is.');
}

/** 0: priorities that were tried are not left out. */
function compileRetryPriority(proto: RetryProto['retryPriority'], path: string): number {
  if (proto === undefined) return 0;
  const any = proto.configType.value;
  const config = any === undefined ? undefined : unpackValid(any, PreviousPrioritiesConfigSchema);
  if (config === undefined) {
    return refuse(path, `"${proto.name}" is not supported`, 'Only envoy.retry_priorities.previous_priorities is.');
  }
  if (config.updateFrequency < 1) refuse(`${path}.update_frequency`, 'is not greater than 0');
  return config.updateFrequency;
}

function compileBackOff(proto: RetryProto, path: string): Pick<RetryPolicy, 'baseIntervalMs' | 'maxIntervalMs'> {
  const { retryBackOff } = proto;
  if (retryBackOff === undefined) {
    return {
      baseIntervalMs: DEFAULT_BASE_INTERVAL_MS,
      maxIntervalMs: DEFAULT_BASE_INTERVAL_MS * DEFAULT_MAX_INTERVAL_FACTOR,
    };
  }
  const { baseInterval, maxInterval } = retryBackOff;
  if (baseInterval === undefined) return refuse(`${path}.base_interval`, 'is missing');
  const baseIntervalMs = Math.max(1, durationMs(baseInterval));
  const maxIntervalMs =
    maxInterval === undefined ? baseIntervalMs * DEFAULT_MAX_INTERVAL_FACTOR : durationMs(maxInterval);
  if (maxIntervalMs < baseIntervalMs) refuse(`${path}.max_interval`, 'is less than base_interval');
  return { baseIntervalMs, maxIntervalMs };
}

function compileResetHeaders(
  { rateLimitedRetryBackOff: proto }: RetryProto,
  path: string,
): Pick<RetryPolicy, 'resetHeaders' | 'maxResetIntervalMs'> {
  const maxResetIntervalMs =
    proto?.maxInterval === undefined ? DEFAULT_MAX_RESET_INTERVAL_MS : durationMs(proto.maxInterval);
  const resetHeaders = (proto?.resetHeaders ?? []).map(({ name, format }, index): ResetHeader => {
    if (name === '') refuse(`${path}.reset_headers[${index}].name`, 'is empty');
    return { name: name.toLowerCase(), format: format === ResetFormat.UNIX_TIMESTAMP ? 'unix-seconds' : 'seconds' };
  });
  if (proto !== undefined && resetHeaders.length === 0) refuse(`${path}.reset_headers`, 'is empty');
  return { resetHeaders, maxResetIntervalMs };
}

function compileRetryOn(proto: RetryProto, path: string): RetryOn | null {
  const words = new Set(proto.retryOn.split(',').map((word) => word.trim()));
  words.delete('');
  if (words.size === 0) return null;
  for (const word of words) {
    if (!isRetryWord(word)) refuse(`${path}.retry_on`, `"${word}" is not a retry condition`);
  }
  return retryOn(
    words,
    proto.retriableStatusCodes,
    words.has('retriable-headers') ? compileAnyHeader(proto.retriableHeaders, `${path}.retriable_headers`) : null,
  );
}

/** Of words that may be nobody's, those that are one. */
export function retryOn(
  words: ReadonlySet<string>,
  statusCodes: readonly number[],
  matchesRetriableHeaders: RetryOn['matchesRetriableHeaders'],
): RetryOn {
  return {
    fiveXx: words.has('5xx'),
    gatewayError: words.has('gateway-error'),
    reset: words.has('reset'),
    resetBeforeRequest: words.has('reset-before-request'),
    resetIdempotent: words.has(RESET_IDEMPOTENT),
    connectFailure: words.has('connect-failure'),
    refusedStream: words.has('refused-stream'),
    retriable4xx: words.has('retriable-4xx'),
    envoyRatelimited: words.has('envoy-ratelimited'),
    statusCodes: new Set(words.has('retriable-status-codes') ? statusCodes : []),
    matchesRetriableHeaders: words.has('retriable-headers') ? matchesRetriableHeaders : null,
    grpcStatuses: new Set([...words].flatMap((word) => GRPC_STATUS_OF_WORD.get(word) ?? [])),
  };
}

/** True when any of the rules matches. */
function compileAnyHeader(matchers: readonly HeaderMatcher[], path: string): (headers: HeaderList) => boolean {
  const rules = matchers.map((matcher, index) => {
    const spec = headerMatchOf(matcher, `${path}[${index}]`);
    return { name: spec.name, matches: inField(`${path}[${index}]`, () => compileHeaderMatcher(spec)) };
  });
  return (headers) => {
    for (const { name, matches } of rules) if (matches(headerValues(headers, name))) return true;
    return false;
  };
}
