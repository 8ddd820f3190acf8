import type { RoutingPriority } from '@flotilla/route';
import { limit } from '@flotilla/runtime';
import type { Gauge, StatsRegistry } from '../base/stats.ts';
import { clusterStatPrefix } from './cluster-stats.ts';

/** Limits of one cluster at one priority (Envoy's `CircuitBreakers.Thresholds`). */
export interface CircuitBreakerSettings {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  /** Replaces `maxRetries` when set. */
  readonly retryBudget: { readonly percent: number; readonly minConcurrency: number } | null;
  /** Show how much of each limit remains (`track_remaining`). */
  readonly showsRemaining: boolean;
}

/** Envoy's defaults. */
export const DEFAULT_CIRCUIT_BREAKER: CircuitBreakerSettings = {
  maxConnections: limit({
    name: 'proxy.cluster-connections',
    what: 'connections to one cluster (as Envoy)',
    default: 1024,
    unit: 'count',
    setting: '`circuit_breakers`',
    past: '503, flag UO',
  }),
  maxPendingRequests: limit({
    name: 'proxy.cluster-pending',
    what: 'requests that wait for a connection to one cluster (as Envoy)',
    default: 1024,
    unit: 'count',
    setting: '`circuit_breakers`',
    past: '503, flag UO',
  }),
  maxRequests: limit({
    name: 'proxy.cluster-requests',
    what: 'requests at a time to one cluster (as Envoy)',
    default: 1024,
    unit: 'count',
    setting: '`circuit_breakers`',
    past: '503, flag UO',
  }),
  maxRetries: limit({
    name: 'proxy.cluster-retries',
    what: 'retries at a time to one cluster (as Envoy)',
    default: 3,
    unit: 'count',
    setting: '`circuit_breakers`',
    past: 'not retried, flag UO',
  }),
  retryBudget: null,
  showsRemaining: false,
};

/** One limited resource: `tryAcquire` and `release` pair. `open` is 1 while nothing more is let through. */
export class Resource {
  #inUse = 0;
  readonly #max: number;
  readonly #open: Gauge;
  readonly #remaining: Gauge | null;

  /** `remaining`: shows how many more may be taken; null where nobody asked for it. */
  constructor(max: number, open: Gauge, remaining: Gauge | null) {
    this.#max = max;
    this.#open = open;
    this.#remaining = remaining;
    if (remaining !== null) remaining.value = max;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get isFull(): boolean {
    return this.#inUse >= this.#max;
  }

  tryAcquire(): boolean {
    if (this.#inUse >= this.#max) return false;
    this.acquire();
    return true;
  }

  /** Takes one even past the limit. */
  acquire(): void {
    this.#inUse += 1;
    this.#showRemaining();
    if (this.#inUse >= this.#max) this.#open.value = 1;
  }

  release(): void {
    this.#inUse -= 1;
    this.#showRemaining();
    if (this.#inUse < this.#max) this.#open.value = 0;
  }

  #showRemaining(): void {
    if (this.#remaining !== null) this.#remaining.value = Math.max(0, this.#max - this.#inUse);
  }
}

/** The four limits of a cluster at one priority, shared by the pools of all its hosts. */
export class CircuitBreaker {
  readonly connections: Resource;
  readonly pending: Resource;
  readonly requests: Resource;
  readonly #retries: Resource;
  readonly #settings: CircuitBreakerSettings;

  constructor(settings: CircuitBreakerSettings, registry: StatsRegistry, name: string, priority: RoutingPriority) {
    const prefix = `${clusterStatPrefix(name)}circuit_breakers.${priority}.`;
    this.#settings = settings;
    const resource = (max: number, open: string, remaining: string): Resource =>
      new Resource(
        max,
        registry.gauge(prefix + open),
        settings.showsRemaining ? registry.gauge(`${prefix}remaining_${remaining}`) : null,
      );
    this.connections = resource(settings.maxConnections, 'cx_open', 'cx');
    this.pending = resource(settings.maxPendingRequests, 'rq_pending_open', 'pending');
    this.requests = resource(settings.maxRequests, 'rq_open', 'rq');
    this.#retries = resource(
      settings.retryBudget === null ? settings.maxRetries : Number.POSITIVE_INFINITY,
      'rq_retry_open',
      'retries',
    );
  }

  tryAcquireRetry(): boolean {
    const { retryBudget } = this.#settings;
    if (retryBudget !== null) {
      const present = this.requests.inUse + this.pending.inUse;
      const allowed = Math.max(retryBudget.minConcurrency, Math.floor((present * retryBudget.percent) / 100));
      if (this.#retries.inUse >= allowed) return false;
    }
    return this.#retries.tryAcquire();
  }

  releaseRetry(): void {
    this.#retries.release();
  }
}
