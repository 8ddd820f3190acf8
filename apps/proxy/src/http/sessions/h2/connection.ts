import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { limit, type Timer } from '@flotilla/runtime';
import { acceptHttp2, KeepAlivePing } from '@flotilla/sockets/http2';
import type { ManagerSettings } from '../../manager-settings.ts';
import { Deadline, StreamDeadlines } from '../../../base/deadlines.ts';
import { PLAIN_PICK, type PickContext } from '../../../ports/cluster-manager.ts';
import type { AcceptedConnection, OpenConnection } from '../../../ports/accepted-connection.ts';
import { recordMalformed } from '../../request-record.ts';
import { EarlyResets } from '../../../protocol/http2/early-resets.ts';
import type { Fault, GuardHandler } from '../../../protocol/http2/frame-guard.ts';
import { GuardedSocket } from '../../../protocol/http2/guarded-socket.ts';
import { StreamH2, type StreamOwner } from './stream.ts';

const { NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = constants;
/** In a GOAWAY: the connection ends soon, streams may still begin (RFC 9113, section 6.8). */
const ANY_STREAM = 0x7fff_ffff;
/** Mebibytes of the whole connection's streams, above which nghttp2 refuses new ones. */
const MAX_SESSION_MEMORY_MIB = limit({
  name: 'proxy.h2-downstream-memory',
  what: 'memory of one downstream HTTP/2 connection, in MiB',
  default: 64,
  unit: 'count',
  past: 'new streams are refused',
});

/**
 * A client's HTTP/2 connection: any number of exchanges at a time. `node:http2` owns the socket, frames and flow
 * control; floods (resets, settings, pings, continuations) are nghttp2's to refuse.
 *
 *   serving -- drain --> ending (GOAWAY sent, or with the next stream) -- drain time over, or no stream left --> closed
 */
export class ConnectionH2 implements OpenConnection, StreamOwner, GuardHandler {
  readonly connection: AcceptedConnection;
  readonly settings: ManagerSettings;
  readonly pickContext: PickContext;
  readonly #session: ServerHttp2Session;
  readonly #guarded: GuardedSocket;
  readonly #idle: Deadline;
  readonly #onClose: () => void;
  readonly #streams = new Map<number, StreamH2>();
  /** Answered streams whose answer is still on its way, and whose request is not whole. */
  readonly #leaving = new Map<number, StreamH2>();
  /** Of streams that are over, for those to come. */
  readonly #spareDeadlines: StreamDeadlines[] = [];
  readonly #earlyResets = new EarlyResets();
  readonly #keepAlive: KeepAlivePing | null;
  #durationTimer: Timer | null = null;
  #drainTimer: Timer | null = null;
  #requests = 0;
  #isDraining = false;
  #isOver = false;

  constructor(accepted: AcceptedConnection, settings: ManagerSettings, onClose: () => void) {
    if (accepted.record !== null) accepted.record.protocol = 'HTTP/2';
    const { ctx, stats, http2: options } = settings;
    const { socket } = accepted;
    this.connection = accepted;
    this.settings = settings;
    this.#onClose = onClose;
    this.pickContext = {
      ...PLAIN_PICK,
      random: ctx.random,
      originalDestination: accepted.originalDestination,
    };
    this.#idle = new Deadline(ctx.clock, () => this.drain());
    stats.connections.value += 1;
    stats.activeConnections.value += 1;
    if (accepted.initial !== null) socket.unshift(accepted.initial);
    this.#guarded = new GuardedSocket(socket, null, 'server', options.floods, this);
    this.#session = acceptHttp2(
      this.#guarded,
      {
        settings: options.settings,
        maxSessionMemory: MAX_SESSION_MEMORY_MIB,
        // What an HTTP/1.1 upstream says twice is passed on twice.
        strictSingleValueFields: false,
        // Taken off by `headerListOf`, as of HTTP/1.1.
        strictFieldWhitespaceValidation: false,
        // More than is let through, so that the refusal has an answer (431) and no reset.
        maxHeaderListPairs: settings.limits.maxFields + 32,
      },
      (error) => this.#onError(error),
    );
    this.#keepAlive = KeepAlivePing.start(this.#session, options.keepAlive, ctx.clock);
    this.#session.on('stream', (stream, headers, flags, ...rest: unknown[]) => {
      // Node passes the fields in their order, too; its types do not say so yet.
      this.#onStream(stream, headers, flags, rest[0] as string[]);
    });
    this.#session.on('close', () => this.#onSessionClose());
    if (!this.#session.destroyed) this.#session.setLocalWindowSize(options.connectionWindowBytes);
    this.#watchIdle();
    if (settings.maxConnectionDurationMs > 0) {
      this.#durationTimer = ctx.clock.after(settings.maxConnectionDurationMs, () => this.drain());
    }
  }

  drain(): void {
    if (this.#isDraining || this.#isOver) return;
    this.#isDraining = true;
    // Without a stream it waits for one: nghttp2 reads no more once a GOAWAY is out and no stream is left, and a request
    // that is on its way would be lost.
    if (this.#streams.size > 0) this.#warn();
    const { drainTimeoutMs, ctx } = this.settings;
    this.#drainTimer = ctx.clock.after(drainTimeoutMs, () => this.#session.close());
  }

  destroy(): void {
    this.#session.destroy();
  }

  #warn(): void {
    // Broken, and its end not told yet: Node would throw.
    if (this.#session.destroyed) return;
    this.#session.goaway(NGHTTP2_NO_ERROR, ANY_STREAM);
  }

  get isGone(): boolean {
    return this.#isOver || this.#session.destroyed || this.connection.socket.destroyed;
  }

  takeDeadlines(): StreamDeadlines {
    return this.#spareDeadlines.pop() ?? new StreamDeadlines(this.settings.ctx.clock);
  }

  streamOver(stream: StreamH2, isEarlyReset: boolean): void {
    if (!this.#streams.delete(stream.id)) return;
    if (this.#earlyResets.count(isEarlyReset) && !this.isGone) {
      this.settings.stats.protocolErrors.value += 1;
      this.#guarded.cut();
    }
    this.#spareDeadlines.push(stream.deadlines);
    if (this.#streams.size > 0 || this.#isOver) return;
    if (this.#isDraining) this.#session.close();
    else this.#watchIdle();
  }

  leave(stream: StreamH2): void {
    this.#leaving.set(stream.id, stream);
  }

  left(stream: StreamH2): void {
    this.#leaving.delete(stream.id);
  }

  onEndSent(stream: number): void {
    (this.#streams.get(stream) ?? this.#leaving.get(stream))?.onEndSent();
  }

  /** As Envoy: closed without a GOAWAY. */
  onFault({ details, stream, isSection }: Fault): void {
    if (this.#isOver) return;
    // Envoy counts floods elsewhere.
    if (details === 'http2.invalid.header.field' || details === 'http2.too_many_headers')
      this.settings.stats.protocolErrors.value += 1;
    if (isSection && !this.#streams.has(stream)) recordMalformed(this.settings, this.connection.info, details);
    for (const each of [...this.#streams.values()]) each.connectionFaulty(details);
    this.#guarded.cut();
  }

  #onStream(raw: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, fields: readonly string[]): void {
    if (this.#isOver) return;
    this.#idle.clear();
    this.#requests += 1;
    const stream = new StreamH2(this, raw);
    this.#streams.set(stream.id, stream);
    if (this.#isDraining && this.#streams.size === 1) this.#warn();
    stream.begin(headers, fields, (flags & NGHTTP2_FLAG_END_STREAM) !== 0);
    const limit = this.settings.maxRequestsPerConnection;
    if (limit > 0 && this.#requests >= limit) this.drain();
  }

  #watchIdle(): void {
    const { idleTimeoutMs, ctx } = this.settings;
    const nowMs = ctx.clock.monotonicMs();
    if (idleTimeoutMs > 0) this.#idle.set(nowMs + idleTimeoutMs, nowMs);
  }

  #onError(error: Error): void {
    this.settings.stats.protocolErrors.value += 1;
    const { logger } = this.settings.ctx;
    if (logger.isDebug()) {
      logger.debug('HTTP/2 connection failed', { client: this.connection.info.remoteAddress, reason: error.message });
    }
  }

  #onSessionClose(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const stream of [...this.#streams.values()]) stream.connectionGone();
    this.#leaving.clear();
    this.#idle.close();
    for (const deadlines of this.#spareDeadlines) deadlines.close();
    this.#durationTimer?.cancel();
    this.#drainTimer?.cancel();
    this.#keepAlive?.stop();
    this.settings.stats.activeConnections.value -= 1;
    this.#onClose();
  }
}
