import type { ManagerSettings } from '../manager-settings.ts';
import { Deadline } from '../../base/deadlines.ts';
import type { AcceptedConnection, OpenConnection } from '../../ports/accepted-connection.ts';
import { ConnectionH1 } from './h1/connection.ts';
import { ConnectionH2 } from './h2/connection.ts';

/** How an HTTP/2 client begins (RFC 9113, section 3.4), as far as no HTTP/1 request does. */
const PREFACE = Buffer.from('PRI * HTTP/2');

/** Opens an HTTP connection of the version that the settings, ALPN or the first bytes say. */
export function openHttpConnection(
  accepted: AcceptedConnection,
  settings: ManagerSettings,
  onClose: () => void,
): OpenConnection {
  const { alpn } = accepted.info;
  if (settings.codec === 'http2' || (settings.codec === 'auto' && alpn === 'h2')) {
    return new ConnectionH2(accepted, settings, onClose);
  }
  if (settings.codec === 'http1' || alpn === 'http/1.1' || alpn === 'http/1.0') {
    return new ConnectionH1(accepted, settings, onClose);
  }
  return new UndecidedConnection(accepted, settings, onClose);
}

/** Waits for the bytes that tell HTTP/1 and HTTP/2 apart, then stands for the connection that they open. */
class UndecidedConnection implements OpenConnection {
  readonly #accepted: AcceptedConnection;
  readonly #settings: ManagerSettings;
  readonly #onClose: () => void;
  readonly #idle: Deadline;
  #opened: OpenConnection | null = null;
  #isDraining = false;
  #seen: Buffer | null = null;

  readonly #onData = (chunk: Buffer): void => this.#take(chunk);
  readonly #onEnd = (): void => void this.#accepted.socket.destroy();
  readonly #onGone = (): void => {
    this.#idle.close();
    this.#onClose();
  };

  constructor(accepted: AcceptedConnection, settings: ManagerSettings, onClose: () => void) {
    const { socket, initial } = accepted;
    this.#accepted = accepted;
    this.#settings = settings;
    this.#onClose = onClose;
    const { clock } = settings.ctx;
    this.#idle = new Deadline(clock, () => socket.destroy());
    if (initial !== null && this.#isDecided(initial)) {
      this.#open(initial);
      return;
    }
    this.#seen = initial;
    // A client that says nothing is idle, and one that is slow to begin is slow with its first head.
    const nowMs = clock.monotonicMs();
    if (settings.idleTimeoutMs > 0) this.#idle.set(nowMs + settings.idleTimeoutMs, nowMs);
    if (initial !== null) this.#watchHead();
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onGone);
    socket.resume();
  }

  drain(): void {
    this.#isDraining = true;
    this.#opened?.drain();
  }

  destroy(): void {
    if (this.#opened === null) this.#accepted.socket.destroy();
    else this.#opened.destroy();
  }

  #take(chunk: Buffer): void {
    if (this.#seen === null) this.#watchHead();
    const seen = this.#seen === null ? chunk : Buffer.concat([this.#seen, chunk]);
    this.#seen = seen;
    if (!this.#isDecided(seen)) return;
    const { socket } = this.#accepted;
    socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onGone);
    socket.pause();
    this.#open(seen);
  }

  #watchHead(): void {
    const { requestHeadersTimeoutMs, ctx } = this.#settings;
    const nowMs = ctx.clock.monotonicMs();
    if (requestHeadersTimeoutMs > 0) this.#idle.set(nowMs + requestHeadersTimeoutMs, nowMs);
  }

  #isDecided(bytes: Buffer): boolean {
    return bytes.length >= PREFACE.length || !PREFACE.subarray(0, bytes.length).equals(bytes);
  }

  #open(initial: Buffer): void {
    this.#idle.close();
    this.#seen = null;
    const accepted = { ...this.#accepted, initial };
    const isHttp2 = initial.subarray(0, PREFACE.length).equals(PREFACE);
    const Connection = isHttp2 ? ConnectionH2 : ConnectionH1;
    this.#opened = new Connection(accepted, this.#settings, this.#onClose);
    if (this.#isDraining) this.#opened.drain();
  }
}
