import { constants, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { type Clock, FlotillaError, type Timer } from '@flotilla/runtime';
import { closeFollows } from '@flotilla/sockets/errors';
import {
  type ClientSession,
  connectHttp2,
  KeepAlivePing,
  type KeepAliveSettings,
  openHttp2Stream,
} from '@flotilla/sockets/http2';

export interface ConnectionSettings {
  /** Finds a peer that is stopped, cut off or too slow, within the sum of both. */
  readonly keepAlive: KeepAliveSettings;
  /** A connection without calls is closed after so long. */
  readonly idleTimeoutMs: number;
  readonly clock: Clock;
  /** The server said that it was asked too often whether it is there (gRPC, "keepalive"). */
  readonly onTooManyPings?: () => void;
}

// In megabytes. What is still to be sent counts, and past it node:http2 resets a stream instead of taking in the answer
// (its default of 10 is less than a message): that a server refuses the message would not be heard.
const MAX_SESSION_MEMORY_MB = 128;
const TOO_MANY_PINGS = Buffer.from('too_many_pings');

/**
 * One HTTP/2 connection of a client:
 *
 *   connecting -- ready --> open -- GOAWAY, leave() --> leaving (streams finish) -- none left --> closed
 *        '-- refused, late, broken, destroy(), no answer to a PING ---------------------------------^
 */
export class Connection {
  /** Rejects with why there is no connection. */
  readonly ready: Promise<void>;
  /** Resolves when nothing of it is left. */
  readonly closed: Promise<void>;
  readonly #authority: string;
  readonly #settings: ConnectionSettings;
  readonly #session: ClientSession;
  readonly #ready = Promise.withResolvers<void>();
  readonly #ping: KeepAlivePing | null;
  #idle: Timer | null = null;
  #reason: Error | null = null;
  #streams = 0;
  #isLeaving = false;

  /** `connect` opens the socket, gives up in time, and owns the socket's errors. */
  constructor(authority: string, connect: () => Socket, settings: ConnectionSettings) {
    this.#authority = authority;
    this.#settings = settings;
    this.ready = this.#ready.promise;
    // Heard by those who ask for a stream.
    this.ready.catch(() => undefined);
    const options = { createConnection: connect, maxSessionMemory: MAX_SESSION_MEMORY_MB };
    this.#session = connectHttp2(authority, options, (error) => (this.#reason ??= error));
    this.#ping = KeepAlivePing.start(this.#session, settings.keepAlive, settings.clock, () => this.#giveUp());
    this.#session.once('connect', () => {
      this.#session.unref();
      this.#ready.resolve();
      this.#waitIdle();
    });
    this.#session.on('goaway', (_code, _lastStream, data) => this.#onGoaway(data));
    const closed = Promise.withResolvers<void>();
    this.closed = closed.promise;
    this.#session.once('close', () => {
      closed.resolve();
      this.#ping?.stop();
      this.#idle?.cancel();
      this.#ready.reject(this.#reason ?? new FlotillaError('unavailable', `${authority} closed the connection`));
    });
  }

  /** Takes new streams, now or when it is ready. */
  get isUsable(): boolean {
    return !this.#isLeaving && !this.#session.closed && !this.#session.destroyed;
  }

  /** Throws when the connection takes no stream after all. */
  open(fields: OutgoingHttpHeaders, options: object): ClientHttp2Stream {
    const stream = openHttp2Stream(this.#session, fields, options, closeFollows);
    this.#idle?.cancel();
    this.#streams += 1;
    if (this.#streams === 1) this.#session.ref();
    failWhenCutOff(stream);
    stream.once('close', () => {
      this.#streams -= 1;
      if (this.#streams > 0 || this.#session.destroyed) return;
      this.#session.unref();
      if (this.#isLeaving) this.#session.close();
      else this.#waitIdle();
    });
    return stream;
  }

  /** Takes no new stream; those there finish. */
  leave(): void {
    this.#isLeaving = true;
    if (this.#streams === 0) this.destroy();
  }

  /** At once, streams and all. */
  destroy(): void {
    this.#isLeaving = true;
    if (!this.#session.destroyed) this.#session.destroy(undefined, constants.NGHTTP2_CANCEL);
  }

  #giveUp(): void {
    const { intervalMs, timeoutMs } = this.#settings.keepAlive;
    const waitedMs = intervalMs + timeoutMs;
    this.#session.destroy(
      new FlotillaError('unavailable', `${this.#authority} has not answered for up to ${waitedMs} ms`),
      constants.NGHTTP2_CANCEL,
    );
  }

  #onGoaway(data: Uint8Array | undefined): void {
    if (data !== undefined && TOO_MANY_PINGS.equals(data)) this.#settings.onTooManyPings?.();
    this.leave();
  }

  #waitIdle(): void {
    this.#idle?.cancel();
    this.#idle = this.#settings.clock.after(this.#settings.idleTimeoutMs, () => this.leave());
  }
}

/**
 * After a GOAWAY, the loss of the connection closes its streams without an error, and a call that waits for its answer
 * would wait for ever. So a stream that closes before its end fails here.
 */
function failWhenCutOff(stream: ClientHttp2Stream): void {
  stream.once('close', () => {
    if (stream.readableEnded || stream.errored || stream.rstCode !== constants.NGHTTP2_NO_ERROR) return;
    stream.emit('error', new FlotillaError('unavailable', 'the connection was closed before the answer'));
  });
}
