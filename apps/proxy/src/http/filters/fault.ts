import { durationMs } from '@bufbuild/protobuf/wkt';
import type { HeaderList } from '@flotilla/http-codec';
import type { Timer } from '@flotilla/runtime';
import {
  type FaultAbort,
  type HTTPFault,
  HTTPFaultSchema,
} from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import type { FaultDelay, FaultRateLimit } from '@flotilla/wire/envoy/extensions/filters/common/fault/v3/fault_pb.js';
import type { FractionalPercent } from '@flotilla/wire/envoy/type/v3/percent_pb.js';
import { ResponseFlag } from '@flotilla/stream';
import type { Counter, Gauge, StatsRegistry } from '../../base/stats.ts';
import type { BodySink } from '../../ports/body-sink.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter } from '../../ports/http-filter.ts';
import { denominatorOf, fractionOf, refuse } from '@flotilla/envoy';
import { compileHeaderRules, type RoutableRequest } from '@flotilla/route';
import { type FilterConfig, type HttpFilterScope, messageOf } from './filter-config.ts';
import { ThrottledBody } from './throttled-body.ts';

const HEADER = {
  abort: 'x-envoy-fault-abort-request',
  abortGrpc: 'x-envoy-fault-abort-grpc-request',
  abortPercentage: 'x-envoy-fault-abort-request-percentage',
  delay: 'x-envoy-fault-delay-request',
  delayPercentage: 'x-envoy-fault-delay-request-percentage',
  rate: 'x-envoy-fault-throughput-response',
  ratePercentage: 'x-envoy-fault-throughput-response-percentage',
} as const;

/** How often a fault happens: a probability in [0,1] that the client may lower by header. */
type Chance = (headers: HeaderList) => number;

/** Faults to inject, compiled from `HTTPFault`. Each reads the request, which may bring its value in a header. */
interface FaultPlan {
  /** Null: every request. */
  readonly matches: ((request: RoutableRequest, cluster: string | null) => boolean) | null;
  readonly delay: Fault<number> | null;
  readonly abort: Fault<AbortStatus> | null;
  /** KiB/s. */
  readonly rate: Fault<number> | null;
  readonly maxActive: number;
  /** Also by the cluster that the client says it is (`x-envoy-downstream-service-cluster`). */
  readonly countsByClient: boolean;
}

interface Fault<T> {
  readonly chance: Chance;
  /** Null: this request has none. */
  readonly valueOf: (headers: HeaderList) => T | null;
}

interface AbortStatus {
  readonly status: number;
  readonly grpcStatus: number | null;
}

interface FaultStats {
  readonly registry: StatsRegistry;
  readonly prefix: string;
  readonly active: Gauge;
  readonly delays: Counter;
  readonly aborts: Counter;
  readonly rates: Counter;
  readonly overflow: Counter;
}

/** The fault filter: nothing on routes without faults. */
export function compileFaultFilter(name: string, typed: FilterConfig, scope: HttpFilterScope): FilterFactory {
  const own = compileFaultRoute(typed);
  const { stats: registry } = scope.ctx;
  const prefix = `${scope.statPrefix}fault.`;
  const stats: FaultStats = {
    registry,
    prefix,
    active: registry.gauge(`${prefix}active_faults`),
    delays: registry.counter(`${prefix}delays_injected`),
    aborts: registry.counter(`${prefix}aborts_injected`),
    rates: registry.counter(`${prefix}response_rl_injected`),
    overflow: registry.counter(`${prefix}faults_overflow`),
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
export function compileFaultRoute(typed: FilterConfig): FaultPlan | null {
  const config = messageOf(typed, HTTPFaultSchema);
  const plan: FaultPlan = {
    matches: compileMatch(config),
    delay: config.delay === undefined ? null : compileDelay(config.delay),
    abort: config.abort === undefined ? null : compileAbort(config.abort),
    rate: config.responseRateLimit === undefined ? null : compileRate(config.responseRateLimit),
    maxActive: config.maxActiveFaults ?? Infinity,
    countsByClient: !config.disableDownstreamClusterStats,
  };
  return plan.delay === null && plan.abort === null && plan.rate === null ? null : plan;
}

function compileDelay({ faultDelaySecifier: which, percentage }: FaultDelay): Fault<number> | null {
  switch (which.case) {
    case 'fixedDelay': {
      const delayMs = durationMs(which.value);
      return fixed(percentage, delayMs, delayMs > 0);
    }
    case 'headerDelay':
      return {
        chance: chanceByHeader(percentage, HEADER.delayPercentage),
        valueOf: (headers) => numberIn(headers, HEADER.delay),
      };
    case undefined:
      return refuse('delay', 'says neither fixed_delay nor header_delay');
  }
}

function compileAbort({ errorType: which, percentage }: FaultAbort): Fault<AbortStatus> | null {
  switch (which.case) {
    case 'httpStatus':
      return fixed(percentage, { status: which.value, grpcStatus: null }, true);
    case 'grpcStatus':
      return fixed(percentage, { status: 200, grpcStatus: which.value }, true);
    case 'headerAbort':
      return { chance: chanceByHeader(percentage, HEADER.abortPercentage), valueOf: abortOf };
    case undefined:
      return refuse('abort', 'says neither http_status nor grpc_status nor header_abort');
  }
}

function compileRate({ limitType: which, percentage }: FaultRateLimit): Fault<number> | null {
  switch (which.case) {
    case 'fixedLimit':
      return fixed(percentage, Number(which.value.limitKbps), which.value.limitKbps > 0n);
    case 'headerLimit':
      return {
        chance: chanceByHeader(percentage, HEADER.ratePercentage),
        valueOf: (headers) => numberIn(headers, HEADER.rate) || null,
      };
    case undefined:
      return refuse('response_rate_limit', 'says neither fixed_limit nor header_limit');
  }
}

function fixed<T>(percentage: FractionalPercent | undefined, value: T, isWanted: boolean): Fault<T> | null {
  const fraction = fractionOf(percentage);
  return fraction === 0 || !isWanted ? null : { chance: () => fraction, valueOf: () => value };
}

/** The header's numerator, at most the configured one. */
function chanceByHeader(percentage: FractionalPercent | undefined, name: string): Chance {
  const fraction = fractionOf(percentage);
  const denominator = denominatorOf(percentage);
  return (headers) => Math.min(fraction, (numberIn(headers, name) ?? Infinity) / denominator);
}

function abortOf(headers: HeaderList): AbortStatus | null {
  const status = numberIn(headers, HEADER.abort);
  if (status !== null && status >= 200 && status < 600) return { status, grpcStatus: null };
  const grpcStatus = numberIn(headers, HEADER.abortGrpc);
  return grpcStatus === null ? null : { status: 200, grpcStatus };
}

/** A header's value when it is a whole number. */
function numberIn(headers: HeaderList, name: string): number | null {
  const text = headers.get(name);
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function compileMatch({ headers, upstreamCluster, downstreamNodes }: HTTPFault): FaultPlan['matches'] {
  if (headers.length === 0 && upstreamCluster === '' && downstreamNodes.length === 0) return null;
  const rules = compileHeaderRules(headers, 'headers');
  const nodes = new Set(downstreamNodes);
  return (request, cluster) =>
    (upstreamCluster === '' || upstreamCluster === cluster) &&
    rules.every((matches) => matches(request, 0)) &&
    (nodes.size === 0 || nodes.has(request.headers.get('x-envoy-downstream-service-node') ?? ''));
}

/** Slows the response down, delays, then aborts (Envoy's order). A request counts as one fault, whatever befalls it. */
class FaultFilter implements HttpFilter {
  readonly #plan: FaultPlan;
  readonly #stats: FaultStats;
  #isActive = false;
  #rate: number | null = null;
  #timer: Timer | null = null;
  #throttled: ThrottledBody | null = null;

  constructor(plan: FaultPlan, stats: FaultStats) {
    this.#plan = plan;
    this.#stats = stats;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const { matches, delay, rate } = this.#plan;
    if (matches !== null && !matches(stream.request, stream.info.upstreamCluster)) return 'continue';
    const kbps = this.#drawn(rate, stream);
    if (kbps !== null && this.#activate()) {
      this.#stats.rates.value += 1;
      this.#rate = kbps;
    }
    const delayMs = this.#drawn(delay, stream);
    if (delayMs !== null && this.#activate()) {
      this.#count(this.#stats.delays, 'delays_injected', stream);
      stream.info.responseFlags |= ResponseFlag.DelayInjected;
      this.#timer = stream.clock.after(delayMs, () => this.#delayed(stream));
      return 'stop';
    }
    return this.#abort(stream) ? 'stop' : 'continue';
  }

  responseBody(stream: FilterStream, next: BodySink): BodySink | null {
    if (this.#rate === null) return null;
    this.#throttled = new ThrottledBody(this.#rate, next, stream.clock, {
      hold: () => stream.holdResponse(this),
      release: () => stream.releaseResponse(this),
    });
    return this.#throttled;
  }

  onEnd(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#throttled?.close();
    if (this.#isActive) this.#stats.active.value -= 1;
    this.#isActive = false;
  }

  /** The fault's value, when the dice say that it happens. */
  #drawn<T>(fault: Fault<T> | null, { request, random }: FilterStream): T | null {
    if (fault === null) return null;
    const value = fault.valueOf(request.headers);
    return value !== null && random() < fault.chance(request.headers) ? value : null;
  }

  /** Takes one of the faults that may be active at a time; false when all are taken. */
  #activate(): boolean {
    if (this.#isActive) return true;
    if (this.#stats.active.value >= this.#plan.maxActive) {
      this.#stats.overflow.value += 1;
      return false;
    }
    this.#stats.active.value += 1;
    this.#isActive = true;
    return true;
  }

  #delayed(stream: FilterStream): void {
    this.#timer = null;
    if (!this.#abort(stream)) stream.continueRequest();
  }

  #abort(stream: FilterStream): boolean {
    const abort = this.#drawn(this.#plan.abort, stream);
    if (abort === null || !this.#activate()) return false;
    this.#count(this.#stats.aborts, 'aborts_injected', stream);
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

  #count(counter: Counter, name: string, { request }: FilterStream): void {
    counter.value += 1;
    const client = request.headers.get('x-envoy-downstream-service-cluster') ?? '';
    if (client === '' || !this.#plan.countsByClient) return;
    this.#stats.registry.counter(`${this.#stats.prefix}${client}.${name}`).value += 1;
  }
}
