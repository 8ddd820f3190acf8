import type { Http2Session } from 'node:http2';
import type { Clock, Timer } from '@flotilla/runtime';
import type { Http2Settings } from './http2-settings.ts';

/** Asks the peer of an HTTP/2 connection from time to time whether it is still there; breaks the connection when not. */
export class KeepAlivePing {
  readonly #session: Http2Session;
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  #timer: Timer;

  /** Null when the settings ask for none. */
  static start(session: Http2Session, settings: Http2Settings['keepAlive'], clock: Clock): KeepAlivePing | null {
    return settings === null ? null : new KeepAlivePing(session, settings, clock);
  }

  constructor(session: Http2Session, settings: NonNullable<Http2Settings['keepAlive']>, clock: Clock) {
    this.#session = session;
    this.#intervalMs = settings.intervalMs;
    this.#timeoutMs = settings.timeoutMs;
    this.#clock = clock;
    this.#timer = this.#askLater();
  }

  stop(): void {
    this.#timer.cancel();
  }

  #askLater(): Timer {
    return this.#clock.after(this.#intervalMs, () => this.#ask());
  }

  #ask(): void {
    if (this.#session.destroyed) return;
    this.#timer = this.#clock.after(this.#timeoutMs, () => this.#session.destroy());
    this.#session.ping((error) => {
      this.#timer.cancel();
      if (error === null && !this.#session.destroyed) this.#timer = this.#askLater();
    });
  }
}
