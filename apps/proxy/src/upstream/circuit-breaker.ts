import type { Gauge, StatsRegistry } from '../observe/stats.ts';
import { clusterStatPrefix } from './cluster-stats.ts';

/** Limits of one cluster (Envoy's `CircuitBreakers.Thresholds`, default priority). */
export interface CircuitBreakerSettings {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  /** Replaces `maxRetries` when set. */
  readonly retryBudget: { readonly percent: number; readonly minConcurrency: number } | null;
}

/** Envoy's defaults. */
export const DEFAULT_CIRCUIT_BREAKER: CircuitBreakerSettings = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
  retryBudget: null,
};

/** One limited resource: `tryAcquire` and `release` pair. `open` is 1 while nothing more is let through. */
export class Resource {
  #inUse = 0;
  readonly #max: number;
  readonly #open: Gauge;

  constructor(max: number, open: Gauge) {
    this.#max = max;
    this.#open = open;
    open.value = max === 0 ? 1 : 0;
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
    if (this.#inUse >= this.#max) this.#open.value = 1;
  }

  release(): void {
    this.#inUse -= 1;
    if (this.#inUse < this.#max) this.#open.value = 0;
  }
}

/** The four limits of a cluster, shared by the pools of all its hosts. */
export class CircuitBreaker {
  readonly connections: Resource;
  readonly pending: Resource;
  readonly requests: Resource;
  readonly #retries: Resource;
  readonly #settings: CircuitBreakerSettings;

  constructor(settings: CircuitBreakerSettings, registry: StatsRegistry, name: string) {
    const prefix = `${clusterStatPrefix(name)}circuit_breakers.default.`;
    this.#settings = settings;
    this.connections = new Resource(settings.maxConnections, registry.gauge(`${prefix}cx_open`));
    this.pending = new Resource(settings.maxPendingRequests, registry.gauge(`${prefix}rq_pending_open`));
    this.requests = new Resource(settings.maxRequests, registry.gauge(`${prefix}rq_open`));
    this.#retries = new Resource(
      settings.retryBudget === null ? settings.maxRetries : Number.POSITIVE_INFINITY,
      registry.gauge(`${prefix}rq_retry_open`),
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
