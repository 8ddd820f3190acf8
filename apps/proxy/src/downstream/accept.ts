import type { Socket } from 'node:net';
import type { ProxyContext } from '../ports/context.ts';
import { type ConnectionInfo, ResponseFlag, StreamInfo } from '@flotilla/stream';
import type { Destination, OpenConnection } from '../ports/accepted-connection.ts';
import type { CompiledListener, FilterChain } from './compiled-listener.ts';
import { type ProxiedStart, readProxyHeader } from './proxy-header.ts';
import type { ProxyHeader } from '../protocol/proxy-protocol.ts';
import { nothingSniffed, sniff, type Sniffed } from './sniff.ts';
import type { HandshakeOutcome } from './tls.ts';

/** Where accepted connections are kept track of. */
export interface ConnectionTracker {
  opened(connection: OpenConnection, chain: FilterChain): void;
  closed(connection: OpenConnection): void;
  /** Sockets that are still being sniffed or shaking hands. */
  readonly early: Set<Socket>;
}

const NO_CHAIN = { name: '' };
const PLAIN = { tls: null, alpn: null, clientCertificate: null };

let nextConnectionId = 1;

/**
 * Takes an accepted (paused) socket through the listener's stations: first bytes, filter chain match, TLS, network
 * filter. Whatever fails on the way closes the socket.
 */
export function acceptConnection(
  socket: Socket,
  listener: CompiledListener,
  originalDestination: Destination | null,
  ctx: ProxyContext,
  tracker: ConnectionTracker,
): void {
  new Acceptance(socket, listener, originalDestination, ctx, tracker).begin();
}

class Acceptance {
  readonly #socket: Socket;
  readonly #listener: CompiledListener;
  readonly #ctx: ProxyContext;
  readonly #tracker: ConnectionTracker;
  readonly #originalDestination: Destination | null;
  readonly #startTimeMs: number;
  readonly #startMs: number;
  /** Addresses that a PROXY header told; null: those of the connection are meant. */
  #told: ProxyHeader['addresses'] = null;

  constructor(
    socket: Socket,
    listener: CompiledListener,
    originalDestination: Destination | null,
    ctx: ProxyContext,
    tracker: ConnectionTracker,
  ) {
    this.#socket = socket;
    this.#listener = listener;
    this.#originalDestination = originalDestination;
    this.#ctx = ctx;
    this.#tracker = tracker;
    this.#startTimeMs = ctx.clock.now();
    this.#startMs = ctx.clock.monotonicMs();
  }

  begin(): void {
    const { stats } = this.#listener;
    stats.connections.value += 1;
    stats.active.value += 1;
    this.#tracker.early.add(this.#socket);
    this.#socket.once('close', () => {
      stats.active.value -= 1;
      stats.destroyed.value += 1;
      this.#tracker.early.delete(this.#socket);
    });
    const { proxyProtocol } = this.#listener;
    if (proxyProtocol === null) this.#sniff(null);
    else readProxyHeader(this.#socket, proxyProtocol, this.#ctx.clock, (start) => this.#onProxyHeader(start));
  }

  #onProxyHeader(start: ProxiedStart | null): void {
    if (start === null) {
      this.#socket.destroy();
      return;
    }
    this.#told = start.header?.addresses ?? null;
    this.#sniff(start.rest);
  }

  #sniff(before: Buffer | null): void {
    const settings = this.#listener.sniffOf(this.#originalDestination?.port ?? this.#socket.localPort ?? 0);
    if (settings === null) this.#matchChain({ ...nothingSniffed, initial: before });
    else sniff(this.#socket, settings, this.#ctx.clock, before, (sniffed) => this.#onSniffed(sniffed));
  }

  #onSniffed(sniffed: Sniffed | null): void {
    if (sniffed !== null) {
      this.#matchChain(sniffed);
      return;
    }
    if (!this.#socket.destroyed) this.#listener.stats.preConnectionTimeout.value += 1;
    this.#socket.destroy();
  }

  #matchChain(sniffed: Sniffed): void {
    const { remoteAddress, remotePort, localAddress, localPort } = this.#socket;
    if (remoteAddress === undefined || localAddress === undefined) {
      this.#socket.destroy();
      return;
    }
    const chain = this.#listener.findChain({
      destinationHost: this.#told?.destination.host ?? this.#originalDestination?.host ?? localAddress,
      destinationPort: this.#told?.destination.port ?? this.#originalDestination?.port ?? localPort ?? 0,
      sourceHost: this.#told?.source.host ?? remoteAddress,
      sourcePort: this.#told?.source.port ?? remotePort ?? 0,
      transport: sniffed.transport,
      serverName: sniffed.serverName,
      applicationProtocols: sniffed.applicationProtocols,
    });
    if (chain === null) {
      this.#refuseUnmatched(sniffed);
      return;
    }
    if (chain.tls === null) {
      this.#open(chain, this.#socket, sniffed.initial, this.#infoOf(chain, sniffed.serverName, PLAIN));
      return;
    }
    const offered = sniffed.transport === 'tls' ? sniffed.applicationProtocols : null;
    chain.tls.handshake(this.#socket, sniffed.initial, offered, (outcome) =>
      this.#onHandshake(chain, sniffed, outcome),
    );
  }

  #onHandshake(chain: FilterChain, sniffed: Sniffed, outcome: HandshakeOutcome): void {
    if ('failure' in outcome) {
      const { logger } = this.#ctx;
      if (this.#listener.accessLogs.length > 0) {
        const record = this.#recordOf(this.#infoOf(chain, sniffed.serverName, PLAIN));
        record.downstreamTransportFailureReason = `TLS_error: ${outcome.failure}`;
        this.#log(record);
      }
      if (logger.isDebug()) {
        const client = addressText(this.#socket.remoteAddress, this.#socket.remotePort);
        logger.debug('TLS handshake failed', { listener: this.#listener.name, client, reason: outcome.failure });
      }
      return;
    }
    const { socket, tls, clientCertificate } = outcome;
    const alpn = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : null;
    // Only what `tls_inspector` saw, as in Envoy.
    const info = this.#infoOf(chain, sniffed.serverName, { tls, alpn, clientCertificate });
    this.#open(chain, socket, null, info);
  }

  #open(chain: FilterChain, socket: Socket, initial: Buffer | null, info: ConnectionInfo): void {
    const tracker = this.#tracker;
    tracker.early.delete(this.#socket);
    if (socket.destroyed) return;
    const record = this.#listener.accessLogs.length === 0 ? null : this.#recordOf(info);
    const connection = chain.filter.open(
      {
        socket,
        initial,
        info,
        record,
        isTls: chain.tls !== null,
        originalDestination: this.#originalDestination,
        clusterName: null,
        dynamicHost: null,
      },
      () => {
        tracker.closed(connection);
        if (record !== null) this.#log(record);
      },
    );
    tracker.opened(connection, chain);
  }

  #infoOf(
    { name: filterChainName }: Pick<FilterChain, 'name'>,
    requestedServerName: string | null,
    security: Pick<ConnectionInfo, 'alpn' | 'clientCertificate' | 'tls'>,
  ): ConnectionInfo {
    const { remoteAddress, remotePort, localAddress, localPort } = this.#socket;
    return {
      id: nextConnectionId++,
      remoteAddress: addressText(this.#told?.source.host ?? remoteAddress, this.#told?.source.port ?? remotePort),
      directRemoteAddress: addressText(remoteAddress, remotePort),
      localAddress: addressText(
        this.#told?.destination.host ?? this.#originalDestination?.host ?? localAddress,
        this.#told?.destination.port ?? this.#originalDestination?.port ?? localPort,
      ),
      directLocalAddress: addressText(localAddress, localPort),
      requestedServerName,
      listenerName: this.#listener.name,
      filterChainName,
      ...security,
      peerUriSan: security.tls?.peer?.names.uri[0] ?? null,
      localUriSan: security.tls?.own?.names.uri[0] ?? null,
      filterState: null,
    };
  }

  #refuseUnmatched(sniffed: Sniffed): void {
    const { accessLogs, stats } = this.#listener;
    stats.noFilterChainMatch.value += 1;
    if (accessLogs.length > 0) {
      const record = this.#recordOf(this.#infoOf(NO_CHAIN, sniffed.serverName, PLAIN));
      record.responseFlags = ResponseFlag.NoRouteFound;
      record.responseCodeDetails = 'filter_chain_not_found';
      this.#log(record);
    }
    this.#socket.destroy();
  }

  #recordOf(info: ConnectionInfo): StreamInfo {
    return new StreamInfo(info, this.#startTimeMs, this.#startMs);
  }

  #log(record: StreamInfo): void {
    if (record.endMs < 0) record.endMs = this.#ctx.clock.monotonicMs();
    record.isOfListener = true;
    record.bytesReceived = this.#socket.bytesRead;
    record.bytesSent = this.#socket.bytesWritten;
    for (const log of this.#listener.accessLogs) log(record);
  }
}

/** `address:port`, IPv6 in brackets, IPv4 that came through an IPv6 socket as IPv4. */
function addressText(host: string | undefined, port: number | undefined): string {
  const text = host ?? '';
  const plain = text.startsWith('::ffff:') ? text.slice(7) : text;
  return plain.includes(':') ? `[${plain}]:${port ?? 0}` : `${plain}:${port ?? 0}`;
}
