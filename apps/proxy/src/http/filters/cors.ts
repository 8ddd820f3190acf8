import { HeaderList } from '@flotilla/http-codec';
import {
  type CorsPolicy as CorsPolicyProto,
  CorsPolicySchema,
  CorsSchema,
} from '@flotilla/wire/envoy/extensions/filters/http/cors/v3/cors_pb.js';
import type { Counter } from '../../base/stats.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { compileStringMatchers, fractionOf } from '@flotilla/envoy';
import { type FilterConfig, type HttpFilterScope, messageOf } from './filter-config.ts';

/** `CorsPolicy`, compiled. Empty texts stand for headers that are not sent. */
interface CorsPolicy {
  readonly allowsOrigin: (origin: string) => boolean;
  readonly methods: string;
  readonly headers: string;
  readonly exposed: string;
  readonly maxAge: string;
  readonly credentials: boolean;
  readonly privateNetwork: boolean;
  /** Preflights of other origins go upstream; else they are answered here. */
  readonly forwardsOthers: boolean;
  /** Probabilities in [0,1]. */
  readonly enabled: number;
  readonly shadow: number;
}

interface CorsStats {
  readonly valid: Counter;
  readonly invalid: Counter;
}

/** CORS by the policy of the route; on routes without one nothing is done. */
export function compileCorsFilter(name: string, typed: FilterConfig, scope: HttpFilterScope): FilterFactory {
  messageOf(typed, CorsSchema);
  const stats: CorsStats = {
    valid: scope.ctx.stats.counter(`${scope.statPrefix}cors.origin_valid`),
    invalid: scope.ctx.stats.counter(`${scope.statPrefix}cors.origin_invalid`),
  };
  return {
    name,
    record: null,
    // Made by `compileCorsRoute`.
    bind: (perRoute) => (perRoute === undefined ? null : () => new CorsFilter(perRoute as CorsPolicy, stats)),
  };
}

/** Compiles a `CorsPolicy`. Throws `invalid`. */
export function compileCorsRoute(typed: FilterConfig): CorsPolicy {
  return corsPolicyOf(messageOf(typed, CorsPolicySchema));
}

function corsPolicyOf(proto: CorsPolicyProto): CorsPolicy {
  return {
    allowsOrigin: compileStringMatchers(proto.allowOriginStringMatch, 'allow_origin_string_match'),
    methods: proto.allowMethods,
    headers: proto.allowHeaders,
    exposed: proto.exposeHeaders,
    maxAge: proto.maxAge,
    credentials: proto.allowCredentials === true,
    privateNetwork: proto.allowPrivateNetworkAccess === true,
    forwardsOthers: proto.forwardNotMatchingPreflights !== false,
    enabled: proto.filterEnabled === undefined ? 1 : fractionOf(proto.filterEnabled.defaultValue),
    shadow: proto.shadowEnabled === undefined ? 0 : fractionOf(proto.shadowEnabled.defaultValue),
  };
}

/** Fetch standard, section 3.2, in Envoy's way: the proxy answers preflights and marks responses. */
class CorsFilter implements HttpFilter {
  readonly #policy: CorsPolicy;
  readonly #stats: CorsStats;
  /** The origin, once it is allowed. */
  #origin: string | null = null;

  constructor(policy: CorsPolicy, stats: CorsStats) {
    this.#policy = policy;
    this.#stats = stats;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const { enabled, shadow } = this.#policy;
    const isEnabled = enabled > 0 && stream.random() < enabled;
    if (!isEnabled && (shadow === 0 || stream.random() >= shadow)) return 'continue';
    const { headers, method } = stream.request;
    const origin = headers.get('origin') ?? '';
    if (origin === '') return 'continue';
    const isPreflight = method === 'OPTIONS' && (headers.get('access-control-request-method') ?? '') !== '';
    if (!this.#policy.allowsOrigin(origin)) {
      this.#stats.invalid.value += 1;
      if (!isEnabled || !isPreflight || this.#policy.forwardsOthers) return 'continue';
      this.#answer(stream, this.#preflightHeaders(headers));
      return 'stop';
    }
    this.#stats.valid.value += 1;
    if (!isEnabled) return 'continue';
    this.#origin = origin;
    if (!isPreflight) return 'continue';
    this.#answer(stream, this.#preflightHeaders(headers));
    return 'stop';
  }

  onResponse(_stream: FilterStream, { headers }: ResponseHead): FilterVerdict {
    if (this.#origin === null) return 'continue';
    headers.set('access-control-allow-origin', this.#origin);
    if (this.#policy.credentials) headers.set('access-control-allow-credentials', 'true');
    if (this.#policy.exposed !== '') headers.set('access-control-expose-headers', this.#policy.exposed);
    return 'continue';
  }

  #preflightHeaders(request: HeaderList): HeaderList {
    const { methods, headers, maxAge, privateNetwork, credentials } = this.#policy;
    const answer = new HeaderList();
    if (this.#origin !== null) answer.append('access-control-allow-origin', this.#origin);
    if (credentials) answer.append('access-control-allow-credentials', 'true');
    if (methods !== '') answer.append('access-control-allow-methods', methods);
    if (headers !== '') answer.append('access-control-allow-headers', headers);
    if (maxAge !== '') answer.append('access-control-max-age', maxAge);
    if (privateNetwork && request.get('access-control-request-private-network') === 'true') {
      answer.append('access-control-allow-private-network', 'true');
    }
    return answer;
  }

  #answer(stream: FilterStream, headers: HeaderList): void {
    stream.sendLocalReply({ status: 200, body: '', details: 'cors_response', flags: 0, headers });
  }
}
