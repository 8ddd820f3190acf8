import type { Clock, Timer } from '@flotilla/runtime';
import { AttemptH1 } from './attempt-h1.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { ClusterStats } from './cluster-stats.ts';
import { ConnectionH1 } from './connection-h1.ts';
import { dial, type DialSettings } from './dial.ts';
import type { Host } from './host.ts';
import type { UpstreamHandler, UpstreamRequest } from './upstream.ts';

export interface PoolSettings extends DialSettings {
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  /** 0: no limit. */
  readonly idleTimeoutMs: number;
  /** 0: no limit. A connection past it takes no further request. */
  readonly maxConnectionDurationMs: number;
}

/** What the pools of one cluster share. */
export interface PoolContext {
  readonly settings: PoolSettings;
  readonly breaker: CircuitBreaker;
  readonly stats: ClusterStats;
  readonly clock: Clock;
}

/**
 * The HTTP/1.1 connections to one host. A request takes the connection that became idle last; without one it waits
 * in a bounded queue while a new connection is opened for it. The first connection to become free serves the queue.
 */
export class PoolH1 {
  readonly host: Host;
  readonly stats: ClusterStats;
  readonly clock: Clock;
  readonly #settings: PoolSettings;
  readonly #breaker: CircuitBreaker;
  readonly #serverName: string | null;
  /** The last became idle last. */
  readonly #idle: ConnectionH1[] = [];
  readonly #connections = new Set<ConnectionH1>();
  readonly #dials = new Set<{ abort(): boolean }>();
  #pending: AttemptH1[] = [];
  #idleTimer: Timer | null = null;
  #isDraining = false;

  constructor(host: Host, context: PoolContext, serverName: string | null) {
    this.host = host;
    this.stats = context.stats;
    this.clock = context.clock;
    this.#settings = context.settings;
    this.#breaker = context.breaker;
    this.#serverName = serverName;
  }

  /** Starts a request. No terminal event comes before this returns. */
  open(request: UpstreamRequest, handler: UpstreamHandler): AttemptH1 {
    const attempt = new AttemptH1(this, request, handler);
    this.host.activeRequests += 1;
    const connection = this.#takeIdle();
    if (connection !== null) {
      if (this.#breaker.requests.isFull) {
        this.#idle.push(connection);
        this.#overflow(attempt);
      } else this.#attach(connection, attempt);
      return attempt;
    }
    if (!this.#breaker.pending.tryAcquire()) {
      this.#overflow(attempt);
      return attempt;
    }
    this.stats.upstream_rq_pending_total.value += 1;
    this.stats.upstream_rq_pending_active.value += 1;
    this.#pending.push(attempt);
    this.#connectForPending();
    return attempt;
  }

  /** An attempt that had a connection is over. */
  requestOver(): void {
    this.host.activeRequests -= 1;
    this.#breaker.requests.release();
    this.stats.upstream_rq_active.value -= 1;
  }

  /** An attempt was given up while it waited. */
  cancel(attempt: AttemptH1): void {
    const index = this.#pending.indexOf(attempt);
    if (index === -1) return;
    this.#pending.splice(index, 1);
    this.#leftQueue();
    this.host.activeRequests -= 1;
    this.stats.upstream_rq_cancelled.value += 1;
  }

  /** A connection is ready, or finished a request, and may take another. */
  release(connection: ConnectionH1): void {
    // A new connection serves whoever waits for it, even when the host has gone meanwhile.
    const isNew = connection.requests === 0 && !connection.isDead;
    const mayContinue = this.#mayContinue(connection);
    if (isNew || mayContinue) {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
        this.#leftQueue();
        if (!this.#breaker.requests.isFull) return this.#attach(connection, next);
        this.#overflow(next);
      }
    }
    if (!mayContinue) return connection.close();
    connection.idleSinceMs = this.clock.monotonicMs();
    this.#idle.push(connection);
    if (this.#idleTimer === null) this.#armIdleTimer(this.#settings.idleTimeoutMs);
  }

  /** A connection is gone. */
  closed(connection: ConnectionH1, wasBusy: boolean): void {
    if (!this.#connections.delete(connection)) return;
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    this.#breaker.connections.release();
    this.host.counts.cxActive -= 1;
    this.stats.upstream_cx_active.value -= 1;
    this.stats.upstream_cx_destroy.value += 1;
    if (wasBusy) this.stats.upstream_cx_destroy_with_active_rq.value += 1;
    this.stats.upstream_cx_rx_bytes_total.value += connection.socket.bytesRead;
    this.stats.upstream_cx_tx_bytes_total.value += connection.socket.bytesWritten;
    if (this.#pending.length > 0) this.#connectForPending();
  }

  /** Closes idle connections now and busy ones when their request ends. */
  drain(): void {
    this.#isDraining = true;
    this.#closeIdle(() => true);
  }

  /** As `drain`, for the connections of an earlier transport version only. */
  drainStale(): void {
    const version = this.host.transport.version();
    this.#closeIdle((connection) => connection.transportVersion !== version);
  }

  /** Breaks everything. Waiting and running requests fail. */
  destroy(): void {
    this.#isDraining = true;
    for (const each of this.#dials) {
      each.abort();
      this.#breaker.connections.release();
    }
    this.#dials.clear();
    for (const connection of this.#connections) connection.socket.destroy();
    this.#failPending('cluster closed');
  }

  #takeIdle(): ConnectionH1 | null {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (this.#mayContinue(connection)) return connection;
      connection.close();
    }
    return null;
  }

  #mayContinue(connection: ConnectionH1): boolean {
    const { maxRequestsPerConnection, maxConnectionDurationMs } = this.#settings;
    if (connection.isDead || this.#isDraining) return false;
    if (connection.transportVersion !== this.host.transport.version()) return false;
    if (maxRequestsPerConnection > 0 && connection.requests >= maxRequestsPerConnection) {
      this.stats.upstream_cx_max_requests.value += 1;
      return false;
    }
    if (maxConnectionDurationMs > 0 && this.clock.monotonicMs() - connection.createdMs >= maxConnectionDurationMs) {
      this.stats.upstream_cx_max_duration_reached.value += 1;
      return false;
    }
    return true;
  }

  #attach(connection: ConnectionH1, attempt: AttemptH1): void {
    this.#breaker.requests.acquire();
    this.stats.upstream_rq_total.value += 1;
    this.stats.upstream_rq_active.value += 1;
    this.host.counts.rqTotal += 1;
    attempt.attach(connection);
  }

  #overflow(attempt: AttemptH1): void {
    this.stats.upstream_rq_pending_overflow.value += 1;
    process.nextTick(() => {
      this.host.activeRequests -= 1;
      attempt.fail('overflow', 'overflow');
    });
  }

  #leftQueue(): void {
    this.#breaker.pending.release();
    this.stats.upstream_rq_pending_active.value -= 1;
  }

  #connectForPending(): void {
    while (this.#dials.size < this.#pending.length) {
      if (!this.#breaker.connections.tryAcquire()) {
        this.stats.upstream_cx_overflow.value += 1;
        // A pool without any connection would wait for ever: it may have one past the limit, as in Envoy.
        if (this.#dials.size > 0 || this.#connections.size > 0) return;
        this.#breaker.connections.acquire();
      }
      this.#connect();
    }
  }

  #connect(): void {
    const { host, stats, clock } = this;
    const startMs = clock.monotonicMs();
    const version = host.transport.version();
    stats.upstream_cx_total.value += 1;
    stats.upstream_cx_http1_total.value += 1;
    host.counts.cxTotal += 1;
    const dialing = dial(host, host.transport, this.#serverName, this.#settings, clock, {
      onReady: (socket, facts, localAddress) => {
        this.#dials.delete(dialing);
        stats.upstream_cx_active.value += 1;
        stats.upstream_cx_connect_ms.record(clock.monotonicMs() - startMs);
        host.counts.cxActive += 1;
        const connection = new ConnectionH1(this, socket, localAddress, facts.uriSan, version);
        this.#connections.add(connection);
        this.release(connection);
      },
      onFailure: (failure, detail) => {
        this.#dials.delete(dialing);
        this.#breaker.connections.release();
        host.counts.cxConnectFail += 1;
        stats.upstream_cx_connect_fail.value += 1;
        if (failure === 'connect-timeout') stats.upstream_cx_connect_timeout.value += 1;
        this.#failPending(detail, failure);
      },
    });
    this.#dials.add(dialing);
  }

  /** A host that cannot be reached fails all who wait for it, so that they can try another. */
  #failPending(detail: string, failure: 'connect-failure' | 'connect-timeout' = 'connect-failure'): void {
    const failed = this.#pending;
    this.#pending = [];
    for (const attempt of failed) {
      this.#leftQueue();
      this.host.activeRequests -= 1;
      this.stats.upstream_rq_pending_failure_eject.value += 1;
      attempt.fail(failure, detail);
    }
  }

  #closeIdle(isUnwanted: (connection: ConnectionH1) => boolean): void {
    for (const connection of this.#idle.filter(isUnwanted)) connection.close();
  }

  #armIdleTimer(delayMs: number): void {
    if (this.#settings.idleTimeoutMs > 0) this.#idleTimer = this.clock.after(delayMs, () => this.#closeExpired());
  }

  /** One timer for all: it fires when the connection that is idle for longest may have expired. */
  #closeExpired(): void {
    this.#idleTimer = null;
    const { idleTimeoutMs } = this.#settings;
    const nowMs = this.clock.monotonicMs();
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const connection of [...this.#idle]) {
      if (nowMs - connection.idleSinceMs >= idleTimeoutMs) {
        this.stats.upstream_cx_idle_timeout.value += 1;
        connection.close();
      } else oldestMs = Math.min(oldestMs, connection.idleSinceMs);
    }
    if (oldestMs !== Number.POSITIVE_INFINITY) this.#armIdleTimer(Math.max(1, oldestMs + idleTimeoutMs - nowMs));
  }
}
