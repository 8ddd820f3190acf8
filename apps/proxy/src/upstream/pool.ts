import type { PooledAttempt, PooledConnection, PoolContext, PoolSettings, RequestPool } from './pooled.ts';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '@flotilla/runtime';
import { SharedReader } from '../sockets/shared-reader.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { ClusterStats } from './cluster-stats.ts';
import { dial } from './dial.ts';
import type { UpstreamConnectionFacts } from '../ports/upstream-connection-facts.ts';
import type { Host } from './host.ts';
import type { UpstreamHandler, UpstreamRequest } from '../ports/cluster-manager.ts';

/**
 * Its peer may have ended a connection that was idle for this long, milliseconds, before a request is sent on it: the
 * end may be here already, unread.
 */
const UNWATCHED_IDLE_MS = 50;
/** A host that ends connections that were idle for this long or longer, milliseconds, does it by a rule of its own. */
const SHORTEST_IDLE_RULE_MS = 500;
/** Of a host's own idle time-out: later than this nothing is sent, as it might meet the end half-way. */
const SAFE_PART = 0.5;

/** A request that waits for a connection. */
interface Waiting<A> {
  readonly attempt: A;
  readonly sinceMs: number;
}

/**
 * The connections to one host. A request takes the connection that was ready last; without one it waits in a bounded
 * queue while a new connection is opened. The first connection with room serves the queue.
 */
export abstract class Pool<A extends PooledAttempt<C>, C extends PooledConnection> implements RequestPool {
  readonly host: Host;
  readonly stats: ClusterStats;
  readonly clock: Clock;
  readonly settings: PoolSettings;
  readonly #context: PoolContext;
  readonly #breaker: CircuitBreaker;
  readonly #serverName: string | null;
  /** Connections with room; the last became so last. */
  readonly #ready: C[] = [];
  readonly #connections = new Set<C>();
  readonly #dials = new Set<{ abort(): boolean }>();
  /** In the order in which they came. */
  #pending: Waiting<A>[] = [];
  /** Each has a connection to itself that is looked at first. */
  readonly #looking = new Set<A>();
  /** The host was not seen yet to leave a connection open after an answer, or has ended one without saying so. */
  #mayEndUnannounced = true;
  /** After how long the host was seen to end an idle connection. */
  #idleLimitMs = Number.POSITIVE_INFINITY;
  #idleTimer: Timer | null = null;
  #isDraining = false;

  constructor(host: Host, context: PoolContext, serverName: string | null) {
    this.host = host;
    this.stats = context.stats;
    this.clock = context.clock;
    this.settings = context.settings;
    this.#context = context;
    this.#breaker = context.breaker;
    this.#serverName = serverName;
  }

  protected abstract createAttempt(request: UpstreamRequest, handler: UpstreamHandler): A;
  protected abstract createConnection(
    socket: Socket,
    reader: SharedReader,
    facts: UpstreamConnectionFacts,
    version: number,
  ): C;
  /** Offered by ALPN where the TLS context names no protocols (as in Envoy). */
  protected abstract readonly alpn: string;
  /** Requests that one connection will carry at a time, as far as that is known before it is there. */
  protected abstract readonly expectedRoom: number;
  protected abstract countConnection(): void;

  open(request: UpstreamRequest, handler: UpstreamHandler): A {
    const attempt = this.createAttempt(request, handler);
    this.host.activeRequests += 1;
    const connection = this.#takeReady();
    if (connection === null) this.#enqueue(attempt);
    else if (this.#isAboutToEnd(connection)) {
      connection.close();
      this.#enqueue(attempt);
    } else if (this.#mayHaveEnded(connection)) this.#lookFirst(connection, attempt);
    else this.#start(connection, attempt);
    return attempt;
  }

  /** A connection that was dialled elsewhere joins. */
  adopt(socket: Socket, reader: SharedReader, facts: UpstreamConnectionFacts, version: number): void {
    this.stats.upstream_cx_active.value += 1;
    this.host.counts.cxActive += 1;
    this.countConnection();
    const connection = this.createConnection(socket, reader, facts, version);
    this.#connections.add(connection);
    this.release(connection);
  }

  /** An attempt that had a connection is over. */
  requestOver(): void {
    this.host.activeRequests -= 1;
    this.#breaker.requests.release();
    this.stats.upstream_rq_active.value -= 1;
  }

  /** An attempt was given up while it waited. */
  cancel(attempt: A): void {
    if (!this.#looking.delete(attempt)) {
      const index = this.#pending.findIndex((waiting) => waiting.attempt === attempt);
      if (index === -1) return;
      this.#pending.splice(index, 1);
      this.#leftQueue();
    }
    this.host.activeRequests -= 1;
    this.stats.upstream_rq_cancelled.value += 1;
  }

  /** A connection is new, or has room again. */
  release(connection: C): void {
    // A new connection serves whoever waits for it, even when the host has gone meanwhile.
    const isNew = connection.requests === 0 && !connection.isDead;
    const mayContinue = this.#mayContinue(connection);
    if (connection.isIdle) connection.idleSinceMs = this.clock.monotonicMs();
    if (mayContinue && this.#pending.length > 0 && this.#mayHaveEnded(connection)) {
      const next = this.#pending.shift();
      this.#leftQueue();
      if (next !== undefined) this.#lookFirst(connection, next.attempt);
      return;
    }
    if (isNew || mayContinue) this.#servePending(connection);
    if (!connection.isIdle && !connection.hasRoom) return;
    if (!mayContinue || !this.#mayContinue(connection)) {
      this.#forgetReady(connection);
      connection.close();
      return;
    }
    if (!connection.hasRoom) return;
    this.#makeReady(connection);
    if (connection.isIdle && this.#idleTimer === null) this.#armIdleTimer(this.settings.idleTimeoutMs);
  }

  /** The peer ended a connection that carried no request, and no answer on it had said so. */
  endedIdle(connection: C): void {
    const idleMs = this.#idleMs(connection);
    if (idleMs < UNWATCHED_IDLE_MS) this.#mayEndUnannounced = true;
    else if (idleMs >= SHORTEST_IDLE_RULE_MS) this.#idleLimitMs = Math.min(this.#idleLimitMs, idleMs);
  }

  /** A connection is gone. */
  closed(connection: C, wasBusy: boolean): void {
    if (!this.#connections.delete(connection)) return;
    this.#forgetReady(connection);
    this.#breaker.connections.release();
    this.host.counts.cxActive -= 1;
    this.stats.upstream_cx_active.value -= 1;
    this.stats.upstream_cx_destroy.value += 1;
    if (wasBusy) this.stats.upstream_cx_destroy_with_active_rq.value += 1;
    this.stats.upstream_cx_rx_bytes_total.value += connection.socket.bytesRead;
    this.stats.upstream_cx_tx_bytes_total.value += connection.socket.bytesWritten;
    if (this.#pending.length > 0) this.#connectForPending();
    else if (this.#connections.size === 0 && this.#dials.size === 0) this.#context.onEmpty?.();
  }

  drain(): void {
    this.#isDraining = true;
    this.#close(() => true);
  }

  drainStale(): void {
    const version = this.host.transport.version();
    this.#close((connection) => connection.transportVersion !== version);
  }

  destroy(): void {
    this.#isDraining = true;
    for (const each of this.#dials) {
      each.abort();
      this.#breaker.connections.release();
    }
    this.#dials.clear();
    for (const connection of this.#connections) connection.socket.destroy();
    for (const attempt of this.#looking) {
      this.host.activeRequests -= 1;
      attempt.fail('connect-failure', 'cluster closed');
    }
    this.#looking.clear();
    this.#failPending('cluster closed');
  }

  #start(connection: C, attempt: A): void {
    if (this.#breaker.requests.isFull) this.#overflow(attempt, 'requests');
    else this.#attach(connection, attempt);
    if (connection.hasRoom) this.#makeReady(connection);
  }

  #enqueue(attempt: A): void {
    if (!this.#breaker.pending.tryAcquire()) {
      this.stats.upstream_rq_pending_overflow.value += 1;
      this.#overflow(attempt, 'pending');
      return;
    }
    this.stats.upstream_rq_pending_total.value += 1;
    this.stats.upstream_rq_pending_active.value += 1;
    this.#pending.push({ attempt, sinceMs: this.clock.monotonicMs() });
    this.#connectForPending();
  }

  #mayHaveEnded(connection: C): boolean {
    if (!connection.isIdle || connection.requests === 0) return false;
    return this.#mayEndUnannounced || this.#idleMs(connection) >= UNWATCHED_IDLE_MS;
  }

  #isAboutToEnd(connection: C): boolean {
    if (this.#idleLimitMs === Number.POSITIVE_INFINITY || !connection.isIdle) return false;
    const idleMs = this.#idleMs(connection);
    return idleMs > this.#idleLimitMs * SAFE_PART && idleMs <= this.#idleLimitMs;
  }

  #idleMs(connection: C): number {
    return this.clock.monotonicMs() - connection.idleSinceMs;
  }

  #lookFirst(connection: C, attempt: A): void {
    this.#looking.add(attempt);
    afterOneTurn(() => {
      const isWanted = this.#looking.delete(attempt);
      if (!connection.isDead) {
        this.#mayEndUnannounced = false;
        // It outlived what looked like a rule.
        if (this.#idleMs(connection) > this.#idleLimitMs) this.#idleLimitMs = Number.POSITIVE_INFINITY;
      }
      if (!this.#mayContinue(connection)) {
        connection.close();
        if (isWanted) this.#enqueue(attempt);
      } else if (isWanted) this.#start(connection, attempt);
      else this.#makeReady(connection);
    });
  }

  #takeReady(): C | null {
    for (let connection = this.#ready.pop(); connection !== undefined; connection = this.#ready.pop()) {
      connection.isReady = false;
      if (this.#mayContinue(connection)) return connection;
      connection.close();
    }
    return null;
  }

  #servePending(connection: C): void {
    while (connection.hasRoom) {
      const next = this.#pending.shift();
      if (next === undefined) return;
      this.#leftQueue();
      if (this.#breaker.requests.isFull) this.#overflow(next.attempt, 'requests');
      else this.#attach(connection, next.attempt);
    }
  }

  #mayContinue(connection: C): boolean {
    const { maxRequestsPerConnection, maxConnectionDurationMs } = this.settings;
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

  #attach(connection: C, attempt: A): void {
    this.#breaker.requests.acquire();
    this.stats.upstream_rq_total.value += 1;
    this.stats.upstream_rq_active.value += 1;
    this.host.counts.rqTotal += 1;
    attempt.attach(connection);
  }

  /** `limit`: which one is reached. Pending: no host was found for the request yet. */
  #overflow(attempt: A, limit: 'pending' | 'requests'): void {
    process.nextTick(() => {
      this.host.activeRequests -= 1;
      attempt.fail('overflow', limit);
    });
  }

  #leftQueue(): void {
    this.#breaker.pending.release();
    this.stats.upstream_rq_pending_active.value -= 1;
  }

  #connectForPending(): void {
    while (this.#dials.size * this.expectedRoom < this.#pending.length) {
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
    host.counts.cxTotal += 1;
    const reader = new SharedReader();
    const opening = { serverName: this.#serverName, alpn: [this.alpn], before: this.#context.before, reader };
    const dialing = dial(host, host.transport, opening, this.settings, clock, {
      onReady: (socket, facts) => {
        this.#dials.delete(dialing);
        stats.upstream_cx_connect_ms.record(clock.monotonicMs() - startMs);
        this.adopt(socket, reader, facts, version);
      },
      onFailure: (failure, detail) => {
        this.#dials.delete(dialing);
        this.#breaker.connections.release();
        host.counts.cxConnectFail += 1;
        stats.upstream_cx_connect_fail.value += 1;
        if (failure === 'connect-timeout') {
          stats.upstream_cx_connect_timeout.value += 1;
          this.#failPending(detail, failure, startMs);
          this.#connectForPending();
        } else this.#failPending(detail, failure);
        if (this.#connections.size === 0 && this.#dials.size === 0) this.#context.onEmpty?.();
      },
    });
    this.#dials.add(dialing);
  }

  /**
   * A host that cannot be reached fails all who wait for it, so that they can try another; one that did not answer for
   * long, those who have waited as long: it may be back, and others wait for connections of their own.
   */
  #failPending(
    detail: string,
    failure: 'connect-failure' | 'connect-timeout' = 'connect-failure',
    untilMs = Number.POSITIVE_INFINITY,
  ): void {
    const failed = this.#pending.filter(({ sinceMs }) => sinceMs <= untilMs);
    this.#pending = this.#pending.filter(({ sinceMs }) => sinceMs > untilMs);
    for (const { attempt } of failed) {
      this.#leftQueue();
      this.host.activeRequests -= 1;
      this.stats.upstream_rq_pending_failure_eject.value += 1;
      attempt.fail(failure, detail);
    }
  }

  #makeReady(connection: C): void {
    if (connection.isReady) return;
    connection.isReady = true;
    this.#ready.push(connection);
  }

  #forgetReady(connection: C): void {
    if (!connection.isReady) return;
    connection.isReady = false;
    const index = this.#ready.indexOf(connection);
    if (index !== -1) this.#ready.splice(index, 1);
  }

  #close(isUnwanted: (connection: C) => boolean): void {
    for (const connection of this.#ready.filter(isUnwanted)) {
      this.#forgetReady(connection);
      connection.close();
    }
  }

  #armIdleTimer(delayMs: number): void {
    if (this.settings.idleTimeoutMs > 0) this.#idleTimer = this.clock.after(delayMs, () => this.#closeExpired());
  }

  /** One timer for all: it fires when the connection that is idle for longest may have expired. */
  #closeExpired(): void {
    this.#idleTimer = null;
    const { idleTimeoutMs } = this.settings;
    const nowMs = this.clock.monotonicMs();
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const connection of [...this.#ready]) {
      if (!connection.isIdle) continue;
      if (nowMs - connection.idleSinceMs >= idleTimeoutMs) {
        this.stats.upstream_cx_idle_timeout.value += 1;
        this.#forgetReady(connection);
        connection.close();
      } else oldestMs = Math.min(oldestMs, connection.idleSinceMs);
    }
    if (oldestMs !== Number.POSITIVE_INFINITY) this.#armIdleTimer(Math.max(1, oldestMs + idleTimeoutMs - nowMs));
  }
}

/**
 * Calls back when whatever the kernel has of any socket has been read: events of one turn of the loop come in any order,
 * so the end of a connection would else be heard after a request was sent on it.
 */
function afterOneTurn(callback: () => void): void {
  setImmediate(() => setImmediate(callback));
}
