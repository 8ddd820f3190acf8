import {
  type CsrfPolicy as CsrfProto,
  CsrfPolicySchema,
} from '@flotilla/wire/envoy/extensions/filters/http/csrf/v3/csrf_pb.js';
import type { Counter } from '../../base/stats.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter } from '../../ports/http-filter.ts';
import { compileStringMatchers, fractionOf } from '@flotilla/envoy';
import { type FilterConfig, type HttpFilterScope, messageOf } from './filter-config.ts';

interface CsrfPolicy {
  /** Probabilities in [0,1]. */
  readonly enabled: number;
  readonly shadow: number;
  readonly allowsOrigin: (host: string) => boolean;
}

interface CsrfStats {
  readonly missing: Counter;
  readonly valid: Counter;
  readonly invalid: Counter;
}

const CHANGES: ReadonlySet<string> = new Set(['POST', 'PUT', 'DELETE', 'PATCH']);

/** Refuses changes that a page of another origin asks for. */
export function compileCsrfFilter(name: string, typed: FilterConfig, scope: HttpFilterScope): FilterFactory {
  const own = policyOf(messageOf(typed, CsrfPolicySchema));
  const counter = (stat: string): Counter => scope.ctx.stats.counter(`${scope.statPrefix}csrf.${stat}`);
  const stats: CsrfStats = {
    missing: counter('missing_source_origin'),
    valid: counter('request_valid'),
    invalid: counter('request_invalid'),
  };
  return {
    name,
    record: null,
    bind(perRoute) {
      const policy = perRoute === undefined ? own : (perRoute as CsrfPolicy); // made by compileCsrfRoute
      if (policy.enabled === 0 && policy.shadow === 0) return null;
      const filter = new CsrfFilter(policy, stats);
      return () => filter;
    },
  };
}

/** Compiles a route's `CsrfPolicy`. Throws `invalid`. */
export function compileCsrfRoute(typed: FilterConfig): CsrfPolicy {
  return policyOf(messageOf(typed, CsrfPolicySchema));
}

function policyOf(proto: CsrfProto): CsrfPolicy {
  return {
    enabled: fractionOf(proto.filterEnabled?.defaultValue),
    shadow: fractionOf(proto.shadowEnabled?.defaultValue),
    allowsOrigin: compileStringMatchers(proto.additionalOrigins, 'additional_origins'),
  };
}

/** Holds no state of a request: one object serves all. */
class CsrfFilter implements HttpFilter {
  readonly #policy: CsrfPolicy;
  readonly #stats: CsrfStats;

  constructor(policy: CsrfPolicy, stats: CsrfStats) {
    this.#policy = policy;
    this.#stats = stats;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const { enabled, shadow } = this.#policy;
    const isEnabled = enabled > 0 && stream.random() < enabled;
    if (!isEnabled && (shadow === 0 || stream.random() >= shadow)) return 'continue';
    const { method, headers, authority } = stream.request;
    if (!CHANGES.has(method)) return 'continue';
    const source = hostOf(headers.get('origin')) || hostOf(headers.get('referer'));
    let isValid = true;
    if (source === '') this.#stats.missing.value += 1;
    if (source === '' || (source !== authority && !this.#policy.allowsOrigin(source))) isValid = false;
    if (isValid) this.#stats.valid.value += 1;
    else if (source !== '') this.#stats.invalid.value += 1;
    if (isValid || !isEnabled) return 'continue';
    stream.sendLocalReply({
      status: 403,
      body: 'Invalid origin',
      details: 'csrf_origin_mismatch',
      flags: 0,
      headers: null,
    });
    return 'stop';
  }
}

/** Host and port of an origin or a URL; empty when there is none. */
function hostOf(url: string | undefined): string {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url ?? '')?.[1] ?? '';
}
