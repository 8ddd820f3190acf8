import type { Socket } from 'node:net';
import { xxHash64 } from '@flotilla/balance';
import type { Timer } from '@flotilla/runtime';
import type { AcceptedConnection, OpenConnection } from '../../ports/accepted-connection.ts';
import { Deadline } from '../../base/deadlines.ts';
import { SegmentWriter } from '../../sockets/segment-writer.ts';
import { SharedReader } from '../../sockets/shared-reader.ts';
import { addressOf, ResponseFlag, StreamInfo } from '@flotilla/stream';
import {
  PLAIN_PICK,
  type ConnectHandler,
  type PickContext,
  type UpstreamCluster,
  type UpstreamFailure,
} from '../../ports/cluster-manager.ts';
import { HttpTunnel, type TunnelHandler } from './http-tunnel.ts';
import { pickWeighted, type TcpSettings } from './tcp-settings.ts';
import { noteConnection } from '../../upstream/dial.ts';
import type { UpstreamConnectionFacts } from '../../ports/upstream-connection-facts.ts';

/**
 * One proxied TCP connection: connecting (the client waits, unread) -> piping both ways -> over. Each direction ends
 * by itself (half-close); back-pressure is passed on; an idle or broken pair is closed on both sides.
 */
export class TcpConnection implements OpenConnection, ConnectHandler, TunnelHandler {
  readonly #client: Socket;
  readonly #isTls: boolean;
  readonly #settings: TcpSettings;
  readonly #info: StreamInfo;
  readonly #pick: PickContext;
  readonly #idle: Deadline;
  readonly #onClose: () => void;
  #initial: Buffer | null;
  #cluster: UpstreamCluster | null = null;
  #pending: { abort(): void } | null = null;
  /** Of the upstream's bytes; null in a tunnel. */
  #reader: SharedReader | null = null;
  #upstream: Socket | HttpTunnel | null = null;
  #durationTimer: Timer | null = null;
  #hasOpened = false;
  #isClientReset = false;
  #isOver = false;

  constructor(accepted: AcceptedConnection, settings: TcpSettings, onClose: () => void) {
    const { ctx } = settings;
    this.#client = accepted.socket;
    this.#isTls = accepted.isTls;
    this.#settings = settings;
    this.#onClose = onClose;
    this.#initial = accepted.initial;
    this.#info = accepted.record ?? new StreamInfo(accepted.info, ctx.clock.now(), ctx.clock.monotonicMs());
    this.#pick = {
      ...PLAIN_PICK,
      random: ctx.random,
      hash: settings.hashesSource ? xxHash64(addressOf(accepted.info.remoteAddress)) : null,
      originalDestination: accepted.originalDestination,
      authority: accepted.dynamicHost,
    };
    this.#idle = new Deadline(ctx.clock, () => this.#onIdle());
    settings.stats.connections.value += 1;
    this.#client.on('error', (error: NodeJS.ErrnoException) => (this.#isClientReset = error.code === 'ECONNRESET'));
    this.#client.on('close', () => this.#onClientClose());
    if (settings.maxDurationMs > 0) {
      this.#durationTimer = ctx.clock.after(settings.maxDurationMs, () => {
        this.#info.responseFlags |= ResponseFlag.DurationTimeout;
        settings.stats.durationReached.value += 1;
        this.destroy();
      });
    }
    this.#connect(accepted.clusterName ?? pickWeighted(settings, ctx.random()));
  }

  /** A byte stream has no point at which it could be ended politely: it goes on until it ends or is destroyed. */
  drain(): void {}

  destroy(): void {
    this.#client.destroy();
  }

  onConnected(socket: Socket, facts: UpstreamConnectionFacts): void {
    this.#pending = null;
    if (this.#isOver) {
      socket.destroy();
      return;
    }
    noteConnection(this.#info, facts);
    this.#begin(socket);
  }

  onOpen(tunnel: HttpTunnel): void {
    this.#pending = null;
    this.#begin(tunnel);
  }

  onFailure(failure: UpstreamFailure, detail: string): void {
    this.#pending = null;
    if (this.#isOver) return;
    const info = this.#info;
    if (failure === 'overflow') {
      // Nothing was attempted.
      info.attemptCount -= 1;
      info.upstreamHost = null;
      info.responseFlags |= ResponseFlag.UpstreamOverflow;
      this.#refuse();
      return;
    }
    if (detail !== '') info.upstreamTransportFailureReason = detail;
    if (info.attemptCount < this.#settings.maxConnectAttempts) {
      this.#attempt();
      return;
    }
    info.responseFlags |= ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRetryLimitExceeded;
    this.#cluster?.countEvent('connect-attempts-exceeded');
    this.#refuse();
  }

  #begin(upstream: Socket | HttpTunnel): void {
    this.#upstream = upstream;
    this.#reportOpen();
    this.#touch();
    this.#pipe(upstream);
  }

  #connect(clusterName: string): void {
    const cluster = this.#settings.ctx.clusters.get(clusterName);
    if (cluster === null) {
      this.#settings.stats.noRoute.value += 1;
      this.#info.responseFlags |= ResponseFlag.NoClusterFound;
      this.#refuse();
      return;
    }
    this.#info.upstreamCluster = clusterName;
    this.#cluster = cluster;
    this.#info.destinationService = cluster.destinationService;
    this.#info.clusterMetadata = cluster.metadata;
    const { authority } = this.#pick;
    const isPending =
      authority !== null &&
      cluster.dynamicHosts?.resolve(authority, () => {
        if (!this.#isOver) this.#attempt();
      }) === 'pending';
    if (!isPending) this.#attempt();
  }

  #attempt(): void {
    const cluster = this.#cluster;
    const host = cluster?.pick(this.#pick) ?? null;
    if (cluster === null || host === null) {
      this.#info.responseFlags |= ResponseFlag.NoHealthyUpstream;
      this.#refuse();
      return;
    }
    this.#info.attemptCount += 1;
    this.#info.tryHost(host);
    const { tunnel } = this.#settings;
    if (tunnel === null) {
      this.#reader = new SharedReader();
      this.#pending = cluster.connect(host, this.#info, this.#reader, this);
    } else {
      const opening = HttpTunnel.open(cluster, host, tunnel, this.#info, this);
      if (this.#upstream === null) this.#pending = { abort: () => opening.destroy() };
    }
  }

  /** A reset, not an end: no byte came from the other side, and the client must not take that for an empty answer. */
  #refuse(): void {
    if (this.#isTls) this.#client.destroy();
    else this.#client.resetAndDestroy();
  }

  #pipe(upstream: Socket | HttpTunnel): void {
    const client = this.#client;
    const info = this.#info;
    client.on('data', (chunk: Buffer) => {
      info.bytesReceived += chunk.length;
      this.#touch();
      if (!upstream.write(chunk)) client.pause();
    });
    const writer = new SegmentWriter(client, () => upstream.pause());
    const onBytes = (chunk: Buffer) => {
      info.bytesSent += chunk.length;
      this.#touch();
      writer.data(chunk);
      writer.flush();
    };
    if (this.#reader === null) upstream.on('data', onBytes);
    else this.#reader.onBytes = onBytes;
    client.on('drain', () => upstream.resume());
    upstream.on('drain', () => client.resume());
    client.on('end', () => upstream.end());
    upstream.on('end', () => client.end());
    upstream.on('error', (error: NodeJS.ErrnoException) => this.#onUpstreamError(error));
    upstream.on('close', () => this.#onUpstreamClose());
    const initial = this.#initial;
    this.#initial = null;
    if (initial !== null) {
      info.bytesReceived += initial.length;
      if (upstream.write(initial)) client.resume();
    } else client.resume();
    upstream.resume();
  }

  #onUpstreamError(error: NodeJS.ErrnoException): void {
    if (error.code === 'ECONNRESET') this.#info.responseFlags |= ResponseFlag.UpstreamRemoteReset;
    else this.#info.upstreamTransportFailureReason ??= error.message;
    this.#client.destroy();
  }

  #onUpstreamClose(): void {
    this.#upstream = null;
    if (!this.#client.destroyed) this.#client.destroySoon();
  }

  #onClientClose(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#pending?.abort();
    const upstream = this.#upstream;
    // Bytes that the client sent before it closed still belong to the upstream.
    if (upstream !== null && !upstream.destroyed) {
      if (this.#isClientReset) upstream.resetAndDestroy();
      else upstream.destroySoon();
    }
    this.#finish();
  }

  #onIdle(): void {
    this.#settings.stats.idleTimeouts.value += 1;
    this.#client.destroy();
    this.#upstream?.destroy();
  }

  #touch(): void {
    const { idleTimeoutMs, ctx } = this.#settings;
    if (idleTimeoutMs === 0) return;
    const nowMs = ctx.clock.monotonicMs();
    this.#idle.set(nowMs + idleTimeoutMs, nowMs);
  }

  #reportOpen(): void {
    if (this.#hasOpened) return;
    this.#hasOpened = true;
    this.#settings.opened?.(this.#info);
  }

  #finish(): void {
    this.#reportOpen();
    const settings = this.#settings;
    const info = this.#info;
    this.#idle.close();
    this.#durationTimer?.cancel();
    info.endMs = settings.ctx.clock.monotonicMs();
    settings.stats.received.value += info.bytesReceived;
    settings.stats.sent.value += info.bytesSent;
    for (const record of settings.records) record(info);
    this.#onClose();
  }
}
