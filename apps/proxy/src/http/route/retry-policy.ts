import { durationMs } from '@bufbuild/protobuf/wkt';
import type { HeaderList } from '@flotilla/http-codec';
import { compileHeaderMatcher } from '@flotilla/match';
import type {
  RetryPolicy as RetryProto,
  RetryPolicy_RetryHostPredicate as HostPredicate,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { inField, refuse, refuseWhen } from './field.ts';
import { headerMatchOf } from './matcher-specs.ts';
import { headerValues } from './request-match.ts';
import type { RetryOn, RetryPolicy } from './route.ts';

/** Envoy's default of `upstream.base_retry_backoff_ms`. */
const DEFAULT_BASE_INTERVAL_MS = 25;
/** Without `max_interval` the back-off grows to ten times its base. */
const DEFAULT_MAX_INTERVAL_FACTOR = 10;

const GRPC_STATUS_OF_WORD: ReadonlyMap<string, number> = new Map([
  ['cancelled', 1],
  ['deadline-exceeded', 4],
  ['resource-exhausted', 8],
  ['internal', 13],
  ['unavailable', 14],
]);

const OTHER_WORDS: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'refused-stream',
  'retriable-4xx',
  'envoy-ratelimited',
  'retriable-status-codes',
  'retriable-headers',
  // Says something about HTTP/3 alone.
  'http3-post-connect-failure',
]);

/** Compiles a retry policy; null when it retries nothing. Throws `invalid`, naming the field. */
export function compileRetryPolicy(proto: RetryProto | undefined, path: string): RetryPolicy | null {
  if (proto === undefined) return null;
  refuseWhen(proto.perTryIdleTimeout !== undefined, `${path}.per_try_idle_timeout`);
  refuseWhen(proto.retryPriority !== undefined, `${path}.retry_priority`);
  refuseWhen(proto.retryOptionsPredicates.length > 0, `${path}.retry_options_predicates`);
  refuseWhen(proto.rateLimitedRetryBackOff !== undefined, `${path}.rate_limited_retry_back_off`);
  refuseWhen(proto.retriableRequestHeaders.length > 0, `${path}.retriable_request_headers`);
  const on = compileRetryOn(proto, path);
  const avoidPreviousHosts = proto.retryHostPredicate.map((predicate, index) =>
    requirePreviousHosts(predicate, `${path}.retry_host_predicate[${index}]`),
  );
  const attempts = proto.numRetries ?? 1;
  if (on === null) return null;
  return {
    attempts,
    on,
    perTryTimeoutMs: proto.perTryTimeout === undefined ? 0 : durationMs(proto.perTryTimeout),
    ...compileBackOff(proto, `${path}.retry_back_off`),
    avoidPreviousHosts: avoidPreviousHosts.length > 0,
    hostSelectionAttempts: Math.max(1, Number(proto.hostSelectionRetryMaxAttempts)),
  };
}

function requirePreviousHosts({ name, configType }: HostPredicate, path: string): true {
  const typeUrl = configType.case === 'typedConfig' ? configType.value.typeUrl : '';
  if (name === 'envoy.retry_host_predicates.previous_hosts' || typeUrl.endsWith('.PreviousHostsPredicate')) return true;
  return refuse(path, `"${name}" is not supported`, 'Only envoy.retry_host_predicates.previous_hosts is.');
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

function compileRetryOn(proto: RetryProto, path: string): RetryOn | null {
  const words = new Set(proto.retryOn.split(',').map((word) => word.trim()));
  words.delete('');
  if (words.size === 0) return null;
  for (const word of words) {
    if (!OTHER_WORDS.has(word) && !GRPC_STATUS_OF_WORD.has(word)) {
      refuse(`${path}.retry_on`, `"${word}" is not a retry condition`);
    }
  }
  return {
    fiveXx: words.has('5xx'),
    gatewayError: words.has('gateway-error'),
    reset: words.has('reset'),
    resetBeforeRequest: words.has('reset-before-request'),
    connectFailure: words.has('connect-failure'),
    refusedStream: words.has('refused-stream'),
    retriable4xx: words.has('retriable-4xx'),
    envoyRatelimited: words.has('envoy-ratelimited'),
    statusCodes: new Set(words.has('retriable-status-codes') ? proto.retriableStatusCodes : []),
    matchesRetriableHeaders: words.has('retriable-headers')
      ? compileRetriableHeaders(proto, `${path}.retriable_headers`)
      : null,
    grpcStatuses: new Set([...words].flatMap((word) => GRPC_STATUS_OF_WORD.get(word) ?? [])),
  };
}

/** True when any of the rules matches the response. */
function compileRetriableHeaders(proto: RetryProto, path: string): (headers: HeaderList) => boolean {
  const rules = proto.retriableHeaders.map((matcher, index) => {
    const spec = headerMatchOf(matcher, `${path}[${index}]`);
    return { name: spec.name, matches: inField(`${path}[${index}]`, () => compileHeaderMatcher(spec)) };
  });
  return (headers) => {
    for (const { name, matches } of rules) if (matches(headerValues(headers, name))) return true;
    return false;
  };
}
