import { anyUnpack, durationMs } from '@bufbuild/protobuf/wkt';
import type { Timer } from '@flotilla/runtime';
import {
  type FaultAbort,
  type HTTPFault,
  HTTPFaultSchema,
} from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import type { FaultDelay } from '@flotilla/wire/envoy/extensions/filters/common/fault/v3/fault_pb.js';
import type { NetworkFilterScope } from '../../downstream/network-filters.ts';
import { ResponseFlag } from '../../observe/response-flags.ts';
import type { Gauge, Counter } from '../../observe/stats.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter } from '../filter.ts';
import { fractionOf, refuse, refuseWhen } from '../route/field.ts';
import { compileHeaderRules } from '../route/request-match.ts';
import type { RoutableRequest } from '../route/route.ts';
import type { FilterConfig } from './filter-config.ts';

/** Faults to inject, compiled from `HTTPFault`. */
interface FaultPlan {
  readonly delayMs: number;
  /** In [0,1]; 0: no delay. */
  readonly delayFraction: number;
  readonly abort: { readonly status: number; readonly grpcStatus: number | null; readonly fraction: number } | null;
  /** Null: every request. */
  readonly matches: ((request: RoutableRequest) => boolean) | null;
  readonly maxActive: number;
}

interface FaultStats {
  readonly active: Gauge;
  readonly delays: Counter;
  readonly aborts: Counter;
  readonly overflow: Counter;
}

/** The fault filter: nothing on routes without faults. */
export function compileFaultFilter(name: string, typed: FilterConfig, { ctx }: NetworkFilterScope): FilterFactory {
  const own = compileFaultRoute(typed);
  const stats: FaultStats = {
    active: ctx.stats.gauge('http.fault.active_faults'),
    delays: ctx.stats.counter('http.fault.delays_injected'),
    aborts: ctx.stats.counter('http.fault.aborts_injected'),
    overflow: ctx.stats.counter('http.fault.faults_overflow'),
  };
  return {
    name,
    record: null,
    bind(perRoute) {
      const plan = perRoute === undefined ? own : (perRoute as FaultPlan | null); // made by compileFaultRoute
      return plan === null ? null : () => new FaultFilter(plan, stats);
    },
  };
}

/** Compiles an `HTTPFault`; null when it injects nothing. Throws `invalid` for what is not supported. */
export function compileFaultRoute({ message }: FilterConfig): FaultPlan | null {
  const config = message === null ? undefined : anyUnpack(message, HTTPFaultSchema);
  if (config === undefined) return refuse('fault', 'cannot be decoded');
  refuseWhen(config.responseRateLimit !== undefined, 'response_rate_limit');
  refuseWhen(config.upstreamCluster !== '', 'upstream_cluster');
  refuseWhen(config.downstreamNodes.length > 0, 'downstream_nodes');
  const abort = compileAbort(config.abort);
  const delay = compileDelay(config.delay);
  if (abort === null && delay.delayFraction === 0) return null;
  return { ...delay, abort, matches: compileMatch(config), maxActive: config.maxActiveFaults ?? Infinity };
}

function compileDelay(delay: FaultDelay | undefined): Pick<FaultPlan, 'delayMs' | 'delayFraction'> {
  if (delay === undefined) return { delayMs: 0, delayFraction: 0 };
  if (delay.faultDelaySecifier.case !== 'fixedDelay') return refuse('delay', 'header_delay is not supported');
  return { delayMs: durationMs(delay.faultDelaySecifier.value), delayFraction: fractionOf(delay.percentage) };
}

function compileAbort(abort: FaultAbort | undefined): FaultPlan['abort'] {
  if (abort === undefined) return null;
  const fraction = fractionOf(abort.percentage);
  if (fraction === 0) return null;
  switch (abort.errorType.case) {
    case 'httpStatus':
      return { status: abort.errorType.value, grpcStatus: null, fraction };
    case 'grpcStatus':
      return { status: 200, grpcStatus: abort.errorType.value, fraction };
    default:
      return refuse('abort', 'header_abort is not supported');
  }
}

function compileMatch(config: HTTPFault): FaultPlan['matches'] {
  if (config.headers.length === 0) return null;
  const rules = compileHeaderRules(config.headers, 'headers');
  return (request) => rules.every((matches) => matches(request, 0));
}

/** Delays first, then aborts (Envoy's order). */
class FaultFilter implements HttpFilter {
  readonly #plan: FaultPlan;
  readonly #stats: FaultStats;
  #timer: Timer | null = null;

  constructor(plan: FaultPlan, stats: FaultStats) {
    this.#plan = plan;
    this.#stats = stats;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const { matches, delayMs, delayFraction } = this.#plan;
    if (matches !== null && !matches(stream.request)) return 'continue';
    if (delayFraction > 0 && delayMs > 0 && stream.random() < delayFraction) {
      if (this.#stats.active.value >= this.#plan.maxActive) {
        this.#stats.overflow.value += 1;
        return 'continue';
      }
      this.#stats.active.value += 1;
      this.#stats.delays.value += 1;
      stream.info.responseFlags |= ResponseFlag.DelayInjected;
      this.#timer = stream.clock.after(delayMs, () => this.#delayed(stream));
      return 'stop';
    }
    return this.#abort(stream) ? 'stop' : 'continue';
  }

  onEnd(): void {
    if (this.#timer === null) return;
    this.#timer.cancel();
    this.#timer = null;
    this.#stats.active.value -= 1;
  }

  #delayed(stream: FilterStream): void {
    this.#timer = null;
    this.#stats.active.value -= 1;
    if (!this.#abort(stream)) stream.continueRequest();
  }

  #abort(stream: FilterStream): boolean {
    const { abort } = this.#plan;
    if (abort === null || stream.random() >= abort.fraction) return false;
    this.#stats.aborts.value += 1;
    stream.sendLocalReply({
      status: abort.status,
      body: 'fault filter abort',
      details: 'fault_filter_abort',
      flags: ResponseFlag.FaultInjected,
      headers: null,
      grpcStatus: abort.grpcStatus,
    });
    return true;
  }
}
