import type { Socket } from 'node:net';
import type { Http2Settings } from '../protocol/http2/settings.ts';
import type { SharedReader } from '../sockets/shared-reader.ts';
import { AttemptH2 } from './attempt-h2.ts';
import { ConnectionH2 } from './connection-h2.ts';
import type { Host } from './host.ts';
import { Pool } from './pool.ts';
import type { PoolContext } from './pooled.ts';
import type { UpstreamConnectionFacts } from '../ports/upstream-connection-facts.ts';
import type { UpstreamHandler, UpstreamRequest } from '../ports/cluster-manager.ts';

/** The HTTP/2 connections to one host: as few as carry its streams. */
export class PoolH2 extends Pool<AttemptH2, ConnectionH2> {
  protected override readonly alpn = 'h2';
  readonly #options: Http2Settings;

  constructor(host: Host, context: PoolContext, serverName: string | null, options: Http2Settings) {
    super(host, context, serverName);
    this.#options = options;
  }

  protected override get expectedRoom(): number {
    const { maxRequestsPerConnection } = this.settings;
    const { maxConcurrentStreams } = this.#options;
    return maxRequestsPerConnection > 0
      ? Math.min(maxRequestsPerConnection, maxConcurrentStreams)
      : maxConcurrentStreams;
  }

  protected override createAttempt(request: UpstreamRequest, handler: UpstreamHandler): AttemptH2 {
    return new AttemptH2(this, request, handler);
  }

  protected override createConnection(
    socket: Socket,
    reader: SharedReader,
    facts: UpstreamConnectionFacts,
    version: number,
  ): ConnectionH2 {
    return new ConnectionH2(this, socket, reader, facts, version, this.#options);
  }

  protected override countConnection(): void {
    this.stats.upstream_cx_http2_total.value += 1;
  }
}
