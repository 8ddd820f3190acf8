import type { Socket } from 'node:net';
import type { SharedReader } from '../sockets/shared-reader.ts';
import { AttemptH1 } from './attempt-h1.ts';
import { ConnectionH1 } from './connection-h1.ts';
import { Pool } from './pool.ts';
import type { UpstreamConnectionFacts } from '../ports/upstream-connection-facts.ts';
import type { UpstreamHandler, UpstreamRequest } from '../ports/cluster-manager.ts';

/** The HTTP/1.1 connections to one host: each carries one request at a time. */
export class PoolH1 extends Pool<AttemptH1, ConnectionH1> {
  protected override readonly alpn = 'http/1.1';
  protected override readonly expectedRoom = 1;

  protected override createAttempt(request: UpstreamRequest, handler: UpstreamHandler): AttemptH1 {
    return new AttemptH1(this, request, handler);
  }

  protected override createConnection(
    socket: Socket,
    reader: SharedReader,
    facts: UpstreamConnectionFacts,
    version: number,
  ): ConnectionH1 {
    return new ConnectionH1(this, socket, reader, facts, version);
  }

  protected override countConnection(): void {
    this.stats.upstream_cx_http1_total.value += 1;
  }
}
