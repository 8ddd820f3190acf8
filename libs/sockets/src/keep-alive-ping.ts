import type { ClientHttp2Session, Http2Session } from 'node:http2';
import type { Clock, Timer } from '@flotilla/runtime';

export interface KeepAliveSettings {
  /** Between an answer and the next question. */
  readonly intervalMs: number;
  /** How long an answer may take. */
  readonly timeoutMs: number;
}

/**
 * Asks the peer of an HTTP/2 connection from time to time whether it is still there; breaks the connection when it does
 * not say so in time. A peer that is stopped, cut off or so slow that the answer is held up is found out like that.
 */
export class KeepAlivePing {
  readonly #session: PingedSession;
  readonly #settings: KeepAliveSettings;
  readonly #clock: Clock;
  readonly #onDead: () => void;
  #timer: Timer;

  /** Null when the settings ask for none. `onDead` breaks the connection; by default without a reason. */
  static start(
    session: PingedSession,
    settings: KeepAliveSettings | null,
    clock: Clock,
    onDead: () => void = () => session.destroy(),
  ): KeepAlivePing | null {
    return settings === null ? null : new KeepAlivePing(session, settings, clock, onDead);
  }

  constructor(session: PingedSession, settings: KeepAliveSettings, clock: Clock, onDead: () => void) {
    this.#session = session;
    this.#settings = settings;
    this.#clock = clock;
    this.#onDead = onDead;
    this.#timer = this.#askLater();
  }

  stop(): void {
    this.#timer.cancel();
  }

  #askLater(): Timer {
    return this.#clock.after(this.#settings.intervalMs, () => this.#ask());
  }

  #ask(): void {
    if (this.#session.destroyed) return;
    this.#timer = this.#clock.after(this.#settings.timeoutMs, this.#onDead);
    this.#session.ping((error: Error | null) => {
      this.#timer.cancel();
      if (error === null && !this.#session.destroyed) this.#timer = this.#askLater();
    });
  }
}

type PingedSession = Http2Session | Omit<ClientHttp2Session, 'request'>;
