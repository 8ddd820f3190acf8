import type { Cluster, Redis } from 'ioredis';
import { Backoff, type Clock, type Random, type Timer } from '@flotilla/runtime';

export interface KeptClientOptions<C extends Redis | Cluster> {
  /** Makes a client that is not connected yet. */
  readonly open: () => C;
  /** What a connected client has to do before it counts; fails: it is given up. */
  readonly prepare: (client: C) => Promise<unknown>;
  readonly onConnected: (client: C) => void;
  /** After every attempt that failed and every connection that was lost. */
  readonly onDown: (reason: unknown) => void;
  readonly clock: Clock;
  readonly random: Random;
}

const RETRY = { baseMs: 20, maxMs: 1_000 };
// Keeps the silence timeout of the connection at work while nobody asks for anything.
const PING_EVERY_MS = 5_000;
// However many bytes come meanwhile: a peer that sends one a second is no use either.
const PONG_WITHIN_MS = 10_000;
// To connect, to authenticate and to be ready, in all.
const READY_WITHIN_MS = 20_000;
// What breaks sooner than that was no success.
const STEADY_MS = 100;

/**
 * Keeps one client connected until closed:
 *
 * ```
 * open ─▶ connect ─▶ prepare ─▶ connected ── lost ─┐
 *  ▲         └─ failed ─┴───────────┐              │
 *  └──────────── back-off ◀─────────┴──────────────┘
 * ```
 * Every round has a client of its own, so that nothing of a broken connection lives on in the next.
 */
export class KeptClient<C extends Redis | Cluster> {
  readonly #options: KeptClientOptions<C>;
  readonly #backoff: Backoff;
  readonly #closed = Promise.withResolvers<undefined>();
  readonly #running: Promise<void>;
  #latest: C | null = null;
  #connected: C | null = null;
  #isClosed = false;

  constructor(options: KeptClientOptions<C>) {
    this.#options = options;
    this.#backoff = new Backoff(RETRY, options.random);
    this.#running = this.#run();
  }

  /** The client that can be asked now; `null` while there is none. */
  get connected(): C | null {
    return this.#connected?.status === 'ready' ? this.#connected : null;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#connected = null;
    this.#closed.resolve(undefined);
    this.#latest?.disconnect();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { onDown } = this.#options;
    // Whoever opened it first has the connection in hands, then hears of it.
    await Promise.resolve();
    while (!this.#isClosed) {
      const reason = await this.#round();
      if (this.#isClosed) return;
      onDown(reason);
      await this.#pause(this.#backoff.nextMs());
    }
  }

  /** Resolves with why it ended. */
  async #round(): Promise<unknown> {
    const { open, prepare, onConnected, clock } = this.#options;
    let reason: unknown = new Error('the connection was closed');
    let client: C;
    try {
      client = this.#latest = open();
    } catch (error) {
      return error;
    }
    let hasFailed = false;
    client.on('error', (error: unknown) => {
      reason = error;
      hasFailed = true;
    });
    // Of one node of a Cluster: others may serve.
    client.on('node error', (error: unknown) => void (reason = error));
    const ended = new Promise<void>((resolve) => client.once('end', resolve));
    const giveUp = (why: string): void => {
      reason = new Error(why);
      client.disconnect();
    };
    const limit = clock.after(READY_WITHIN_MS, () => giveUp(`it was not ready within ${READY_WITHIN_MS / 1000} s`));
    try {
      // An attempt may end without `connect` ever saying so.
      const isOver = await Promise.race([client.connect().then(() => false), ended.then(() => true)]);
      if (isOver) return reason;
      await prepare(client);
      // A database that cannot be selected does not keep ioredis from going on with another.
      if (hasFailed) throw reason;
    } catch (error) {
      client.disconnect();
      // What the connection said itself is more than "closed".
      return isVague(error) ? reason : error;
    } finally {
      limit.cancel();
    }
    this.#connected = client;
    const ping = this.#keepPinging(client, giveUp);
    const sinceMs = clock.monotonicMs();
    onConnected(client);
    await ended;
    if (clock.monotonicMs() - sinceMs > STEADY_MS) this.#backoff.reset();
    ping.cancel();
    this.#connected = null;
    return reason;
  }

  #keepPinging(client: C, giveUp: (why: string) => void): Timer {
    const { clock } = this.#options;
    let timer: Timer;
    const plan = (): Timer =>
      clock.after(PING_EVERY_MS, () => {
        const limit = clock.after(PONG_WITHIN_MS, () => giveUp(`no answer to PING within ${PONG_WITHIN_MS / 1000} s`));
        client
          .ping()
          .catch(() => undefined)
          .finally(() => limit.cancel());
        timer = plan();
      });
    timer = plan();
    return { cancel: () => timer.cancel() };
  }

  async #pause(waitMs: number): Promise<void> {
    const waited = Promise.withResolvers<undefined>();
    const timer = this.#options.clock.after(waitMs, () => waited.resolve(undefined));
    await Promise.race([waited.promise, this.#closed.promise]);
    timer.cancel();
  }
}

function isVague(error: unknown): boolean {
  return error instanceof Error && /Connection is closed|None of startup nodes/.test(error.message);
}
