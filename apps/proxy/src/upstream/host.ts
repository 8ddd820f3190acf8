import type { FilterMetadata, PeerMetadata } from '@flotilla/stream';
import type { RequestPool } from './pooled.ts';
import { addressKey, type Transport } from './transport.ts';
import type { DialTarget, EndpointCheck, EndpointSpec, HostHealth } from '@flotilla/cluster';
import type { UpstreamHost } from '../ports/cluster-manager.ts';

/** Counts of one host, shown by `/clusters`. */
export interface HostCounts {
  cxTotal: number;
  cxActive: number;
  cxConnectFail: number;
  rqTotal: number;
  rqSuccess: number;
  rqError: number;
}

/** One endpoint of a cluster, kept across updates as long as address and transport stay. Owns its connection pools. */
export class Host implements UpstreamHost, DialTarget {
  readonly address: string;
  readonly host: string;
  readonly port: number;
  readonly path: string | null;
  readonly transport: Transport;
  hostname: string;
  weight: number;
  peer: PeerMetadata | null;
  /** What discovery says of it. */
  discoveredHealth: HostHealth;
  /** Taken out by outlier detection. */
  isEjected = false;
  /** Has not passed, or passes no more, its active health checks. */
  failsActiveCheck = false;
  /** On the monotonic clock: when it came, or passed its active checks (again). */
  healthySinceMs: number;
  check: EndpointCheck | null;
  hashKey: string | null;
  metadata: FilterMetadata | null;
  activeRequests = 0;
  /** The pool of a cluster whose requests all go the same way. Made on first use. */
  pool: RequestPool | null = null;
  /** Pools by what requests differ in (SNI, protocol), where the cluster goes by that. */
  poolsByKey: Map<string, RequestPool> | null = null;
  readonly counts: HostCounts = { cxTotal: 0, cxActive: 0, cxConnectFail: 0, rqTotal: 0, rqSuccess: 0, rqError: 0 };

  constructor(spec: EndpointSpec, transport: Transport, nowMs: number) {
    this.healthySinceMs = nowMs;
    this.address = addressKey(spec);
    this.host = spec.host;
    this.port = spec.port;
    this.path = spec.path;
    this.transport = transport;
    this.hostname = spec.hostname;
    this.weight = spec.weight;
    this.peer = spec.peer;
    this.discoveredHealth = spec.health;
    this.hashKey = spec.hashKey;
    this.metadata = spec.metadata ?? null;
    this.check = spec.check ?? null;
  }

  /** By all that is known of it; an update of one does not undo another. */
  get health(): HostHealth {
    return this.isEjected || this.failsActiveCheck ? 'unhealthy' : this.discoveredHealth;
  }

  /** Takes over what may change without a new connection. */
  update(spec: EndpointSpec): void {
    this.hostname = spec.hostname;
    this.weight = spec.weight;
    this.peer = spec.peer;
    this.discoveredHealth = spec.health;
    this.hashKey = spec.hashKey;
    this.metadata = spec.metadata ?? null;
    this.check = spec.check ?? null;
  }

  /** Closes idle connections; those in use close when their request ends. */
  drain(): void {
    for (const pool of this.#pools()) pool.drain();
  }

  /** Ends the use of connections that were made with an earlier certificate; those in use finish first. */
  drainStale(): void {
    for (const pool of this.#pools()) pool.drainStale();
  }

  /** Breaks every connection. */
  destroy(): void {
    for (const pool of this.#pools()) pool.destroy();
  }

  *#pools(): IterableIterator<RequestPool> {
    if (this.pool !== null) yield this.pool;
    if (this.poolsByKey !== null) yield* this.poolsByKey.values();
  }
}
