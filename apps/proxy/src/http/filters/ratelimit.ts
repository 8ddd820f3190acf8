import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { HeaderList } from '@flotilla/http-codec';
import { ApiVersion } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import type { HeaderValue } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import {
  RateLimit_XRateLimitHeadersRFCVersion as HeadersVersion,
  RateLimitPerRoute_VhRateLimitsOptions as RouteHostRules,
  RateLimitPerRouteSchema,
  type RateLimit as RateLimitProto,
  RateLimitSchema,
} from '@flotilla/wire/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.js';
import {
  RateLimitRequestSchema,
  type RateLimitResponse,
  RateLimitResponse_Code as Code,
  type RateLimitResponse_DescriptorStatus as DescriptorStatus,
  RateLimitResponse_RateLimit_Unit as Unit,
  RateLimitResponseSchema,
} from '@flotilla/wire/envoy/service/ratelimit/v3/rls_pb.js';
import { ResponseFlag } from '@flotilla/stream';
import type { StatsRegistry } from '../../base/stats.ts';
import { callUnary, type GrpcCaller, type GrpcOutcome, type GrpcTarget } from '../../grpc/call.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { compileGrpcTarget } from '../../grpc/target.ts';
import { inField, refuse } from '@flotilla/envoy';
import { compileAddition, type HeaderEdit } from '@flotilla/format';
import { type FilterConfig, type HttpFilterScope, messageOf } from './filter-config.ts';
import { mergeMetadata } from './dynamic-metadata.ts';
import type { Descriptor } from '@flotilla/route';
import { type HostRules, rulesFor } from './rate-limit-rules.ts';

const PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
/** Envoy's default of `timeout`. */
const DEFAULT_TIMEOUT_MS = 20;

/** A `RateLimit` filter, compiled. */
interface Settings {
  readonly caller: GrpcCaller;
  readonly stats: StatsRegistry;
  readonly target: GrpcTarget;
  readonly domain: string;
  readonly stage: number;
  readonly requests: 'internal' | 'external' | 'both';
  readonly deniesOnError: boolean;
  readonly limitedStatus: number;
  readonly errorStatus: number;
  readonly isResourceExhausted: boolean;
  readonly hasHeaders: boolean;
  readonly marksLimited: boolean;
  readonly onLimited: readonly HeaderEdit[];
  readonly statPrefix: string;
  readonly sourceCluster: string;
}

/** What a route changes. */
interface RouteSettings {
  readonly hostRules: HostRules;
  /** Empty: the filter's. */
  readonly domain: string;
}

const DEFAULT_ROUTE: RouteSettings = { hostRules: 'unless-route-has', domain: '' };

/** Asks a rate limit service (`envoy.service.ratelimit.v3`) whether a request may go on. */
export function compileRateLimitFilter(name: string, typed: FilterConfig, scope: HttpFilterScope): FilterFactory {
  const settings = settingsOf(messageOf(typed, RateLimitSchema), scope);
  return {
    name,
    record: null,
    bind(perRoute) {
      const route = perRoute === undefined ? DEFAULT_ROUTE : (perRoute as RouteSettings); // made by compileRateLimitRoute
      return () => new RateLimitFilter(settings, route);
    },
  };
}

/** Compiles a `RateLimitPerRoute`. Throws `invalid`. */
export function compileRateLimitRoute(typed: FilterConfig): RouteSettings {
  const proto = messageOf(typed, RateLimitPerRouteSchema);
  return { hostRules: HOST_RULES[proto.vhRateLimits], domain: proto.domain };
}

const HOST_RULES = {
  [RouteHostRules.OVERRIDE]: 'unless-route-has',
  [RouteHostRules.INCLUDE]: 'always',
  [RouteHostRules.IGNORE]: 'never',
} as const;

function settingsOf(proto: RateLimitProto, { ctx }: HttpFilterScope): Settings {
  const service = proto.rateLimitService;
  if (proto.domain === '') refuse('domain', 'is empty');
  if (service === undefined) return refuse('rate_limit_service', 'is missing');
  if (service.transportApiVersion !== ApiVersion.V3) refuse('rate_limit_service.transport_api_version', 'is not V3');
  const timeoutMs = proto.timeout === undefined ? DEFAULT_TIMEOUT_MS : durationMs(proto.timeout);
  const limited = proto.rateLimitedStatus?.code ?? 0;
  const onError = proto.statusOnError?.code ?? 0;
  return {
    caller: ctx,
    stats: ctx.stats,
    target: { ...compileGrpcTarget(service.grpcService, timeoutMs, 'rate_limit_service.grpc_service'), timeoutMs },
    domain: proto.domain,
    stage: proto.stage,
    requests: requestsOf(proto.requestType),
    deniesOnError: proto.failureModeDeny,
    limitedStatus: limited >= 400 ? limited : 429,
    errorStatus: onError === 0 ? 500 : onError,
    isResourceExhausted: proto.rateLimitedAsResourceExhausted,
    hasHeaders: proto.enableXRatelimitHeaders === HeadersVersion.DRAFT_VERSION_03,
    marksLimited: !proto.disableXEnvoyRatelimitedHeader,
    onLimited: proto.responseHeadersToAdd.map((option, index) =>
      compileAddition(option, `response_headers_to_add[${index}]`, ctx.surroundings),
    ),
    statPrefix: proto.statPrefix === '' ? 'ratelimit.' : `ratelimit.${proto.statPrefix}.`,
    sourceCluster: ctx.node.cluster,
  };
}

function requestsOf(type: string): Settings['requests'] {
  return inField('request_type', () => {
    if (type === '') return 'both';
    if (type === 'internal' || type === 'external' || type === 'both') return type;
    return refuse(`"${type}"`, 'is not internal, external or both');
  });
}

class RateLimitFilter implements HttpFilter {
  readonly #settings: Settings;
  readonly #route: RouteSettings;
  #call: { cancel(): void } | null = null;
  /** What the answer adds to the response; null: nothing. */
  #responseHeaders: HeaderList | null = null;

  constructor(settings: Settings, route: RouteSettings) {
    this.#settings = settings;
    this.#route = route;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const { requests, caller, target, domain } = this.#settings;
    const isInternal = stream.request.headers.get('x-envoy-internal') === 'true';
    if (requests !== 'both' && (requests === 'internal') !== isInternal) return 'continue';
    const descriptors = this.#descriptors(stream);
    if (descriptors.length === 0) return 'continue';
    const request = create(RateLimitRequestSchema, {
      domain: this.#route.domain || domain,
      descriptors: descriptors.map((entries) => ({ entries: entries.map(({ key, value }) => ({ key, value })) })),
    });
    const message = toBinary(RateLimitRequestSchema, request);
    this.#call = callUnary(caller, target, PATH, message, (outcome) => this.#decide(stream, outcome));
    return 'stop';
  }

  onResponse(_stream: FilterStream, { headers }: ResponseHead): FilterVerdict {
    if (this.#responseHeaders !== null) headers.flat.push(...this.#responseHeaders.flat);
    return 'continue';
  }

  onEnd(): void {
    this.#call?.cancel();
  }

  #descriptors({ request, route, info }: FilterStream): Descriptor[] {
    return rulesFor(route, this.#route.hostRules)
      .filter((rule) => rule.stage === this.#settings.stage)
      .map((rule) => rule.describe(request, info, this.#settings.sourceCluster))
      .filter((descriptor) => descriptor !== null);
  }

  #decide(stream: FilterStream, outcome: GrpcOutcome): void {
    this.#call = null;
    const answer = outcome.message === null ? null : decodeAnswer(outcome.message);
    if (answer === null || answer.overallCode === Code.UNKNOWN) return this.#decideWithout(stream);
    if (answer.dynamicMetadata !== undefined) {
      mergeMetadata(stream.info, 'envoy.filters.http.ratelimit', answer.dynamicMetadata);
    }
    const headers = new HeaderList();
    if (this.#settings.hasHeaders) limitHeaders(answer.statuses, headers);
    appendValues(headers, answer.responseHeadersToAdd);
    if (answer.overallCode === Code.OVER_LIMIT) return this.#refuse(stream, answer, headers);
    this.#count(stream, 'ok');
    this.#responseHeaders = headers.size === 0 ? null : headers;
    appendValues(stream.request.headers, answer.requestHeadersToAdd);
    stream.continueRequest();
  }

  #refuse(stream: FilterStream, answer: RateLimitResponse, headers: HeaderList): void {
    const { limitedStatus, marksLimited, onLimited, isResourceExhausted } = this.#settings;
    this.#count(stream, 'over_limit');
    // The cluster's statistics count the answer that was given in its place.
    this.#settings.caller.clusters.get(stream.info.upstreamCluster ?? '')?.countResponse(limitedStatus, false);
    if (marksLimited) headers.set('x-envoy-ratelimited', 'true');
    for (const edit of onLimited) edit(headers, stream.info);
    stream.sendLocalReply({
      status: limitedStatus,
      body: Buffer.from(answer.rawBody).toString('utf8'),
      details: 'request_rate_limited',
      flags: ResponseFlag.RateLimited,
      headers,
      grpcStatus: isResourceExhausted ? 8 : null,
    });
  }

  /** The service gave no answer. */
  #decideWithout(stream: FilterStream): void {
    this.#count(stream, 'error');
    if (!this.#settings.deniesOnError) {
      this.#count(stream, 'failure_mode_allowed');
      stream.continueRequest();
      return;
    }
    stream.sendLocalReply({
      status: this.#settings.errorStatus,
      body: '',
      details: 'rate_limiter_error',
      flags: ResponseFlag.RateLimitServiceError,
      headers: null,
    });
  }

  #count(stream: FilterStream, name: string): void {
    const { stats, statPrefix } = this.#settings;
    const cluster = stream.info.upstreamCluster;
    if (cluster !== null) stats.counter(`cluster.${cluster}.${statPrefix}${name}`).value += 1;
  }
}

function decodeAnswer(message: Buffer): RateLimitResponse | null {
  try {
    return fromBinary(RateLimitResponseSchema, message);
  } catch {
    return null;
  }
}

function appendValues(headers: HeaderList, values: readonly HeaderValue[]): void {
  for (const { key, value, rawValue } of values) {
    const text = rawValue.length > 0 ? Buffer.from(rawValue).toString('latin1') : value;
    if (/^[!#$%&'*+\-.^_`|~0-9a-z]+$/i.test(key) && !/[\r\n\0]/.test(text)) headers.append(key.toLowerCase(), text);
  }
}

/** Of the limit that is nearest to being reached (draft-ietf-httpapi-ratelimit-headers-03). */
function limitHeaders(statuses: readonly DescriptorStatus[], headers: HeaderList): void {
  const limits = statuses.filter(({ currentLimit }) => currentLimit !== undefined);
  const [nearest] = limits.toSorted((left, right) => left.limitRemaining - right.limitRemaining);
  if (nearest?.currentLimit === undefined) return;
  const quotas = limits.map(({ currentLimit }) => {
    const seconds = UNIT_SECONDS[currentLimit?.unit ?? Unit.UNKNOWN];
    const name = currentLimit?.name ?? '';
    return seconds === 0
      ? ''
      : `, ${currentLimit?.requestsPerUnit ?? 0};w=${seconds}${name === '' ? '' : `;name="${name}"`}`;
  });
  headers.append('x-ratelimit-limit', `${nearest.currentLimit.requestsPerUnit}${quotas.join('')}`);
  headers.append('x-ratelimit-remaining', String(nearest.limitRemaining));
  const resetMs = nearest.durationUntilReset === undefined ? 0 : durationMs(nearest.durationUntilReset);
  headers.append('x-ratelimit-reset', String(Math.floor(resetMs / 1000)));
}

const UNIT_SECONDS: Readonly<Record<Unit, number>> = {
  [Unit.UNKNOWN]: 0,
  [Unit.SECOND]: 1,
  [Unit.MINUTE]: 60,
  [Unit.HOUR]: 3600,
  [Unit.DAY]: 86_400,
  [Unit.WEEK]: 604_800,
  [Unit.MONTH]: 2_592_000,
  [Unit.YEAR]: 31_536_000,
};
