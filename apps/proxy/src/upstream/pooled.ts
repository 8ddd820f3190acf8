import type { Socket } from 'node:net';
import type { HeaderCase } from '@flotilla/http-codec';
import type { Clock } from '@flotilla/runtime';
import type { UpstreamFailure, UpstreamHandler, UpstreamRequest, UpstreamStream } from '../ports/cluster-manager.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { ClusterStats } from './cluster-stats.ts';
import type { DialSettings } from './dial.ts';

export interface PoolSettings extends DialSettings {
  readonly headerCase: HeaderCase;
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
  /** What connections begin with, such as a PROXY header; null: nothing. */
  readonly before: Buffer | null;
  /** The pool has neither connections nor requests any more; null: nobody minds. */
  readonly onEmpty: (() => void) | null;
}

/** Where a host's requests are sent: a pool of one protocol, or the choice between two. */
export interface RequestPool {
  /** Starts a request. No terminal event comes before this returns. */
  open(request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream;
  /** Closes idle connections now and busy ones when their requests end. */
  drain(): void;
  /** As `drain`, for the connections of an earlier transport version only. */
  drainStale(): void;
  /** Breaks everything. Waiting and running requests fail. */
  destroy(): void;
}

/** A request that a pool carries. */
export interface PooledAttempt<C> extends UpstreamStream {
  attach(connection: C): void;
  fail(failure: UpstreamFailure, detail: string): void;
}

/** A connection that a pool keeps. */
export interface PooledConnection {
  readonly socket: Socket;
  /** Version of the transport that it was made with. */
  readonly transportVersion: number;
  readonly createdMs: number;
  /** Requests that were started on it. */
  readonly requests: number;
  /** When it last became idle. */
  idleSinceMs: number;
  /** It stands in its pool's list of those with room; the pool's to set. */
  isReady: boolean;
  /** The peer has gone, or said so. */
  readonly isDead: boolean;
  readonly isIdle: boolean;
  /** Another request may start now. */
  readonly hasRoom: boolean;
  /** Takes no request any more: closes when it is idle. */
  close(): void;
}

/** What a connection and an attempt know of their pool. */
export interface PoolFacts {
  readonly clock: Clock;
  readonly stats: ClusterStats;
  readonly settings: PoolSettings;
}

/** A connection's pool. */
export interface ConnectionOwner<C> extends PoolFacts {
  /** It has room again. */
  release(connection: C): void;
  /** It is gone. */
  closed(connection: C, wasBusy: boolean): void;
  /** The host ended it while it was idle. */
  endedIdle(connection: C): void;
}

/** An attempt's pool. */
export interface AttemptOwner<A> extends PoolFacts {
  /** It does not wait for a connection any more. */
  cancel(attempt: A): void;
  /** It is over, and had a connection. */
  requestOver(): void;
}
