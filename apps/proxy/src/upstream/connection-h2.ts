import type { ClientHttp2Stream, ClientSessionOptions, OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { limit } from '@flotilla/runtime';
import { closeFollows } from '@flotilla/sockets/errors';
import { type ClientSession, connectHttp2, KeepAlivePing, openHttp2Stream } from '@flotilla/sockets/http2';
import type { Http2Settings } from '../protocol/http2/settings.ts';
import type { GuardHandler } from '../protocol/http2/frame-guard.ts';
import { GuardedSocket } from '../protocol/http2/guarded-socket.ts';
import type { SharedReader } from '../sockets/shared-reader.ts';
import type { ConnectionOwner, PooledConnection } from './pooled.ts';
import type { UpstreamConnectionFacts } from '../ports/upstream-connection-facts.ts';

/** Mebibytes of the whole connection's streams; more than their windows hold. */
const MAX_SESSION_MEMORY_MIB = limit({
  name: 'proxy.h2-upstream-memory',
  what: 'memory of one upstream HTTP/2 connection, in MiB',
  default: 64,
  unit: 'count',
  past: 'new streams are refused',
});

/**
 * One HTTP/2 connection to a host. `node:http2` owns the socket.
 *
 *   open (room for streams) -- GOAWAY, close(), limit --> ending (streams finish) -- none left --> closed
 */
export class ConnectionH2 implements PooledConnection, GuardHandler {
  readonly socket: Socket;
  readonly facts: UpstreamConnectionFacts;
  readonly transportVersion: number;
  readonly createdMs: number;
  idleSinceMs = 0;
  isReady = false;
  requests = 0;
  /** The host broke the rules of HTTP/2, and the connection is closed for it. */
  isFaulty = false;
  readonly #pool: ConnectionOwner<ConnectionH2>;
  readonly #session: ClientSession;
  readonly #guarded: GuardedSocket;
  readonly #maxStreams: number;
  readonly #keepAlive: KeepAlivePing | null;
  #active = 0;
  #isEnding = false;
  #isClosed = false;

  constructor(
    pool: ConnectionOwner<ConnectionH2>,
    socket: Socket,
    reader: SharedReader,
    facts: UpstreamConnectionFacts,
    transportVersion: number,
    options: Http2Settings,
  ) {
    this.#pool = pool;
    this.socket = socket;
    this.facts = facts;
    this.transportVersion = transportVersion;
    this.createdMs = pool.clock.monotonicMs();
    this.#maxStreams = options.maxConcurrentStreams;
    const { maxConcurrentStreams: _ours, enableConnectProtocol: _servers, ...settings } = options.settings;
    this.#guarded = new GuardedSocket(socket, reader, 'client', options.floods, this);
    const sessionOptions: ClientSessionOptions & { readonly strictSingleValueFields: false } = {
      createConnection: () => this.#guarded,
      settings: { ...settings, enablePush: false },
      // What an HTTP/1.1 client says twice is passed on twice. Node's types know the option of servers alone.
      strictSingleValueFields: false,
      // Taken off by `headerListOf`, as of HTTP/1.1.
      strictFieldWhitespaceValidation: false,
      maxSessionMemory: MAX_SESSION_MEMORY_MIB,
    };
    const session = connectHttp2('http://upstream', sessionOptions, closeFollows);
    this.#session = session;
    if (!session.destroyed) session.setLocalWindowSize(options.connectionWindowBytes);
    session.on('goaway', () => (this.#isEnding = true));
    session.on('close', () => this.#onClosed());
    this.#keepAlive = KeepAlivePing.start(session, options.keepAlive, pool.clock);
  }

  get isDead(): boolean {
    return this.#isClosed || this.#isEnding || this.#session.closed || this.#session.destroyed;
  }

  /** The socket is gone: streams that end now were broken with it. */
  get isBroken(): boolean {
    return this.#isClosed || this.#session.destroyed || this.socket.destroyed;
  }

  get isIdle(): boolean {
    return this.#active === 0;
  }

  get hasRoom(): boolean {
    if (this.isDead) return false;
    const { maxConcurrentStreams = Number.POSITIVE_INFINITY } = this.#session.remoteSettings;
    return this.#active < Math.min(this.#maxStreams, maxConcurrentStreams);
  }

  /** Starts a stream; null when the connection cannot take it after all. */
  start(fields: OutgoingHttpHeaders, isWhole: boolean): ClientHttp2Stream | null {
    this.requests += 1;
    try {
      const options = { endStream: isWhole, waitForTrailers: !isWhole };
      const stream = openHttp2Stream(this.#session, fields, options, closeFollows);
      this.#active += 1;
      stream.once('close', () => {
        this.#active -= 1;
        this.#guarded.forget(stream.id ?? 0);
        if (!this.#isClosed) this.#pool.release(this);
      });
      return stream;
    } catch {
      // Its peer said good-bye, or it has no stream left: the caller goes on with another connection.
      this.#isEnding = true;
      return null;
    }
  }

  close(): void {
    this.#isEnding = true;
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close();
  }

  onEndSent(): void {}

  onFault(): void {
    if (this.#isClosed) return;
    this.isFaulty = true;
    this.#isEnding = true;
    this.#pool.stats.upstream_cx_protocol_error.value += 1;
    this.socket.destroy();
  }

  #onClosed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#keepAlive?.stop();
    this.#pool.closed(this, this.#active > 0);
  }
}
