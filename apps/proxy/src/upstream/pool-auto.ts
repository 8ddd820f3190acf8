import type { Http2Settings } from '../protocol/http2/settings.ts';
import { SharedReader } from '../sockets/shared-reader.ts';
import { DeferredStream } from './deferred-stream.ts';
import { dial } from './dial.ts';
import type { Host } from './host.ts';
import { PoolH1 } from './pool-h1.ts';
import { PoolH2 } from './pool-h2.ts';
import type { PoolContext, RequestPool } from './pooled.ts';
import type { UpstreamFailure, UpstreamHandler, UpstreamRequest, UpstreamStream } from '../ports/cluster-manager.ts';

/** Offers both versions of HTTP by ALPN; what the host settles on with the first connection is spoken from then on. */
export class PoolAuto implements RequestPool {
  readonly #host: Host;
  readonly #context: PoolContext;
  readonly #serverName: string | null;
  readonly #options: Http2Settings;
  readonly #waiting = new Set<DeferredStream>();
  #decided: PoolH1 | PoolH2 | null = null;
  #dialing: { abort(): boolean } | null = null;
  #isDraining = false;

  constructor(host: Host, context: PoolContext, serverName: string | null, options: Http2Settings) {
    this.#host = host;
    this.#context = context;
    this.#serverName = serverName;
    this.#options = options;
  }

  open(request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream {
    if (this.#decided !== null) return this.#decided.open(request, handler);
    const { breaker, stats } = this.#context;
    const stream = new DeferredStream(request, handler, (aborted) => {
      this.#left(aborted);
      stats.upstream_rq_cancelled.value += 1;
    });
    if (!breaker.pending.tryAcquire()) {
      stats.upstream_rq_pending_overflow.value += 1;
      process.nextTick(() => handler.onFailure('overflow', 'overflow'));
      return stream;
    }
    this.#waiting.add(stream);
    this.#host.activeRequests += 1;
    stats.upstream_rq_pending_active.value += 1;
    this.#dialing ??= this.#dial();
    return stream;
  }

  drain(): void {
    this.#isDraining = true;
    this.#decided?.drain();
  }

  drainStale(): void {
    this.#decided?.drainStale();
  }

  destroy(): void {
    if (this.#dialing?.abort() === true) this.#context.breaker.connections.release();
    this.#dialing = null;
    this.#fail('connect-failure', 'cluster closed');
    this.#decided?.destroy();
  }

  #dial(): { abort(): boolean } {
    const { breaker, stats, clock, settings } = this.#context;
    const host = this.#host;
    const startMs = clock.monotonicMs();
    const version = host.transport.version();
    // As of any pool: the first connection may go past the limit.
    breaker.connections.acquire();
    stats.upstream_cx_total.value += 1;
    host.counts.cxTotal += 1;
    const reader = new SharedReader();
    const alpn = ['h2', 'http/1.1'];
    const opening = { serverName: this.#serverName, alpn, before: this.#context.before, reader };
    return dial(host, host.transport, opening, settings, clock, {
      onReady: (socket, facts) => {
        this.#dialing = null;
        stats.upstream_cx_connect_ms.record(clock.monotonicMs() - startMs);
        const pool =
          facts.alpn === 'h2'
            ? new PoolH2(host, this.#context, this.#serverName, this.#options)
            : new PoolH1(host, this.#context, this.#serverName);
        this.#decided = pool;
        pool.adopt(socket, reader, facts, version);
        for (const stream of [...this.#waiting]) {
          this.#left(stream);
          stream.bind(pool.open(stream.request, stream.handler));
        }
        if (this.#isDraining) pool.drain();
      },
      onFailure: (failure, detail) => {
        this.#dialing = null;
        breaker.connections.release();
        host.counts.cxConnectFail += 1;
        stats.upstream_cx_connect_fail.value += 1;
        if (failure === 'connect-timeout') stats.upstream_cx_connect_timeout.value += 1;
        this.#fail(failure, detail);
      },
    });
  }

  #fail(failure: UpstreamFailure, detail: string): void {
    for (const stream of [...this.#waiting]) {
      this.#left(stream);
      this.#context.stats.upstream_rq_pending_failure_eject.value += 1;
      const { info } = stream.request;
      if (info !== null) info.upstreamTransportFailureReason = detail;
      stream.handler.onFailure(failure, detail);
    }
  }

  #left(stream: DeferredStream): void {
    if (!this.#waiting.delete(stream)) return;
    this.#host.activeRequests -= 1;
    this.#context.breaker.pending.release();
    this.#context.stats.upstream_rq_pending_active.value -= 1;
  }
}
