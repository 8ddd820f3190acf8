import { HeaderList } from '@flotilla/http-codec';
import {
  type LocalRateLimit as LocalRateLimitProto,
  LocalRateLimitSchema,
} from '@flotilla/wire/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js';
import { XRateLimitHeadersRFCVersion } from '@flotilla/wire/envoy/extensions/common/ratelimit/v3/ratelimit_pb.js';
import { limit } from '@flotilla/runtime';
import { ResponseFlag } from '@flotilla/stream';
import type { Counter } from '../../base/stats.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { fractionOf, refuse } from '@flotilla/envoy';
import { compileAddition, type HeaderEdit } from '@flotilla/format';
import { type FilterConfig, type HttpFilterScope, messageOf, type RouteFilterScope } from './filter-config.ts';
import type { Descriptor } from '@flotilla/route';
import { type HostRules, hostRulesOf, rulesFor } from './rate-limit-rules.ts';
import { compileTokenBucket, TokenBucket, type TokenBucketSettings } from '../../base/token-bucket.ts';

/** A `LocalRateLimit`, compiled: the same object limits all requests that it is for. */
interface LocalLimit {
  /** Probabilities in [0,1]. */
  readonly enabled: number;
  readonly enforced: number;
  readonly status: number;
  readonly isResourceExhausted: boolean;
  readonly hasHeaders: boolean;
  readonly onLimited: readonly HeaderEdit[];
  readonly onNotEnforced: readonly HeaderEdit[];
  readonly stage: number;
  readonly hostRules: HostRules;
  readonly buckets: (connection: object) => Buckets;
  readonly stats: LocalStats;
}

interface LocalStats {
  readonly enabled: Counter;
  readonly enforced: Counter;
  readonly limited: Counter;
  readonly ok: Counter;
}

/** Limits requests by token buckets of this proxy's own. */
export function compileLocalRateLimitFilter(name: string, typed: FilterConfig, scope: HttpFilterScope): FilterFactory {
  const own = compile(messageOf(typed, LocalRateLimitSchema), scope.ctx);
  const sourceCluster = scope.ctx.node.cluster;
  return {
    name,
    record: null,
    bind(perRoute) {
      const limit = perRoute === undefined ? own : (perRoute as LocalLimit); // made by compileLocalRateLimitRoute
      return limit.enabled === 0 ? null : () => new LocalRateLimitFilter(limit, sourceCluster);
    },
  };
}

/** Compiles a route's `LocalRateLimit`. Throws `invalid`. */
export function compileLocalRateLimitRoute(typed: FilterConfig, { ctx }: RouteFilterScope): LocalLimit {
  return compile(messageOf(typed, LocalRateLimitSchema), ctx);
}

function compile(proto: LocalRateLimitProto, { stats, clock, surroundings }: RouteFilterScope['ctx']): LocalLimit {
  if (proto.statPrefix === '') refuse('stat_prefix', 'is empty');
  const enabled = fractionOf(proto.filterEnabled?.defaultValue);
  const common = proto.tokenBucket === undefined ? null : compileTokenBucket(proto.tokenBucket, 'token_bucket');
  if (enabled > 0 && common === null) refuse('token_bucket', 'is missing, and the filter is enabled');
  const special = proto.descriptors.map(({ entries, tokenBucket }, index) => {
    const field = `descriptors[${index}]`;
    if (tokenBucket === undefined) return refuse(`${field}.token_bucket`, 'is missing');
    return { entries, settings: compileTokenBucket(tokenBucket, `${field}.token_bucket`) };
  });
  const open = (): Buckets => new Buckets(common, special, proto.alwaysConsumeDefaultTokenBucket !== false, clock);
  const status = proto.status?.code ?? 0;
  const prefix = `${proto.statPrefix}.http_local_rate_limit.`;
  return {
    enabled,
    enforced: fractionOf(proto.filterEnforced?.defaultValue),
    // Only an error status is used (Envoy).
    status: status >= 400 ? status : 429,
    isResourceExhausted: proto.rateLimitedAsResourceExhausted,
    hasHeaders: proto.enableXRatelimitHeaders === XRateLimitHeadersRFCVersion.DRAFT_VERSION_03,
    onLimited: proto.responseHeadersToAdd.map((option, index) =>
      compileAddition(option, `response_headers_to_add[${index}]`, surroundings),
    ),
    onNotEnforced: proto.requestHeadersToAddWhenNotEnforced.map((option, index) =>
      compileAddition(option, `request_headers_to_add_when_not_enforced[${index}]`, surroundings),
    ),
    stage: proto.stage,
    hostRules: hostRulesOf(proto.vhRateLimits),
    buckets: proto.localRateLimitPerDownstreamConnection ? perConnection(open) : shared(open()),
    stats: {
      enabled: stats.counter(`${prefix}enabled`),
      enforced: stats.counter(`${prefix}enforced`),
      limited: stats.counter(`${prefix}rate_limited`),
      ok: stats.counter(`${prefix}ok`),
    },
  };
}

function shared(buckets: Buckets): LocalLimit['buckets'] {
  return () => buckets;
}

function perConnection(open: () => Buckets): LocalLimit['buckets'] {
  const byConnection = new WeakMap<object, Buckets>();
  return (connection) => {
    const known = byConnection.get(connection);
    if (known !== undefined) return known;
    const buckets = open();
    byConnection.set(connection, buckets);
    return buckets;
  };
}

interface SpecialBucket {
  readonly entries: Descriptor;
  readonly settings: TokenBucketSettings;
}

/** The bucket for all requests, and those for requests with certain descriptors. */
class Buckets {
  readonly #common: TokenBucket | null;
  readonly #special: readonly { readonly entries: Descriptor; readonly bucket: TokenBucket }[];
  readonly #alwaysCommon: boolean;
  /** Entries without a value stand for any value: each value gets a bucket of its own. */
  readonly #wild: readonly SpecialBucket[];
  readonly #byValue = new Map<string, TokenBucket>();
  readonly #clock: RouteFilterScope['ctx']['clock'];

  constructor(
    common: TokenBucketSettings | null,
    special: readonly SpecialBucket[],
    alwaysCommon: boolean,
    clock: RouteFilterScope['ctx']['clock'],
  ) {
    const isWild = ({ entries }: SpecialBucket): boolean => entries.some(({ value }) => value === '');
    this.#common = common === null ? null : new TokenBucket(common, clock);
    this.#special = special
      .filter((each) => !isWild(each))
      .map(({ entries, settings }) => ({ entries, bucket: new TokenBucket(settings, clock) }))
      // The slowest first, as in Envoy.
      .toSorted((left, right) => left.bucket.rate - right.bucket.rate);
    this.#wild = special.filter(isWild);
    this.#alwaysCommon = alwaysCommon;
    this.#clock = clock;
  }

  /** Takes a token for a request with these descriptors; `bucket` is the one that decided. */
  take(descriptors: readonly Descriptor[]): { readonly isAllowed: boolean; readonly bucket: TokenBucket | null } {
    let last: TokenBucket | null = null;
    for (const bucket of this.#matching(descriptors)) {
      last = bucket;
      if (!bucket.take(1)) return { isAllowed: false, bucket };
    }
    if (last !== null && !this.#alwaysCommon) return { isAllowed: true, bucket: last };
    if (this.#common === null) return { isAllowed: true, bucket: last };
    const isAllowed = this.#common.take(1);
    return { isAllowed, bucket: isAllowed && last !== null ? last : this.#common };
  }

  #matching(descriptors: readonly Descriptor[]): TokenBucket[] {
    if (descriptors.length === 0) return [];
    const exact = this.#special.filter(({ entries }) => descriptors.some((each) => isSame(entries, each)));
    return [...exact.map(({ bucket }) => bucket), ...this.#wildMatching(descriptors)];
  }

  #wildMatching(descriptors: readonly Descriptor[]): TokenBucket[] {
    return this.#wild.flatMap(({ entries, settings }, index) =>
      descriptors
        .filter((descriptor) => isSame(entries, descriptor))
        .map((descriptor) => {
          const key = `${index}\0${descriptor.map(({ value }) => value).join('\0')}`;
          const bucket = this.#byValue.get(key) ?? new TokenBucket(settings, this.#clock);
          // The one used last is kept longest.
          this.#byValue.delete(key);
          this.#byValue.set(key, bucket);
          const [oldest] = this.#byValue.keys();
          if (this.#byValue.size > MAX_WILD_BUCKETS && oldest !== undefined) this.#byValue.delete(oldest);
          return bucket;
        }),
    );
  }
}

/** Envoy's default of `max_dynamic_descriptors`. */
const MAX_WILD_BUCKETS = limit({
  name: 'proxy.rate-limit-descriptors',
  what: 'values of a wildcard descriptor of local rate limits (as Envoy)',
  default: 20,
  unit: 'count',
  setting: '`max_dynamic_descriptors`',
  past: 'the longest unused one is forgotten',
});

function isSame(pattern: Descriptor, descriptor: Descriptor): boolean {
  return (
    pattern.length === descriptor.length &&
    pattern.every(({ key, value }, index) => {
      const entry = descriptor[index];
      return entry !== undefined && entry.key === key && (value === '' || entry.value === value);
    })
  );
}

class LocalRateLimitFilter implements HttpFilter {
  readonly #limit: LocalLimit;
  readonly #sourceCluster: string;
  #bucket: TokenBucket | null = null;

  constructor(limit: LocalLimit, sourceCluster: string) {
    this.#limit = limit;
    this.#sourceCluster = sourceCluster;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const { enabled, enforced, stats, onNotEnforced } = this.#limit;
    if (enabled < 1 && stream.random() >= enabled) return 'continue';
    stats.enabled.value += 1;
    const { isAllowed, bucket } = this.#limit.buckets(stream.connection).take(this.#descriptors(stream));
    this.#bucket = bucket;
    if (isAllowed) {
      stats.ok.value += 1;
      return 'continue';
    }
    stats.limited.value += 1;
    if (enforced === 0 || stream.random() >= enforced) {
      for (const edit of onNotEnforced) edit(stream.request.headers, stream.info);
      return 'continue';
    }
    stats.enforced.value += 1;
    this.#refuse(stream);
    return 'stop';
  }

  onResponse(_stream: FilterStream, { headers }: ResponseHead): FilterVerdict {
    const bucket = this.#bucket;
    if (bucket === null || !this.#limit.hasHeaders) return 'continue';
    headers.set('x-ratelimit-limit', String(bucket.maxTokens));
    headers.set('x-ratelimit-remaining', String(bucket.remaining));
    headers.set('x-ratelimit-reset', String(Math.ceil(bucket.nextTokenMs / 1000)));
    return 'continue';
  }

  #descriptors({ request, route, info }: FilterStream): Descriptor[] {
    const { stage, hostRules } = this.#limit;
    return rulesFor(route, hostRules)
      .filter((rule) => rule.stage === stage)
      .map((rule) => rule.describe(request, info, this.#sourceCluster))
      .filter((descriptor) => descriptor !== null);
  }

  #refuse(stream: FilterStream): void {
    const headers = new HeaderList();
    for (const edit of this.#limit.onLimited) edit(headers, stream.info);
    stream.sendLocalReply({
      status: this.#limit.status,
      body: 'local_rate_limited',
      details: 'local_rate_limited',
      flags: ResponseFlag.RateLimited,
      // RESOURCE_EXHAUSTED or, as for every 429, UNAVAILABLE.
      grpcStatus: this.#limit.isResourceExhausted ? 8 : null,
      headers,
    });
  }
}
