import type { Logger } from '@flotilla/observe';
import type { RedisConnection } from '@flotilla/redis';
import { type Clock, FlotillaError, systemClock, type Timer } from '@flotilla/runtime';
import type { Membership } from './membership.ts';

export interface RedisMembershipOptions {
  /** Not closed by the membership. */
  readonly connection: RedisConnection;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** How long a process counts as present after its last sign of life. */
  readonly timeToLiveMs?: number;
}

export const DEFAULT_TIME_TO_LIVE_MS = 30_000;
const REFRESHES_PER_LIFE = 3;

/**
 * Membership by a key with a time to live for each process, `{prefix}:member:<id>`, refreshed three times within it.
 * While Redis was away nobody could refresh: so what is missing counts as absent only when this connection has stood
 * for as long as a key lives.
 */
export function createRedisMembership(options: RedisMembershipOptions): Membership {
  return new RedisMembership(options);
}

class RedisMembership implements Membership {
  readonly #connection: RedisConnection;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #timeToLiveMs: number;
  readonly #joined = new Set<string>();
  readonly #endSubscription: () => void;
  #connectedSinceMs: number | null = null;
  #refreshTimer: Timer | null = null;
  #isFailing = false;
  #isClosed = false;

  constructor(options: RedisMembershipOptions) {
    this.#connection = options.connection;
    this.#logger = options.logger;
    this.#clock = options.clock ?? systemClock;
    this.#timeToLiveMs = options.timeToLiveMs ?? DEFAULT_TIME_TO_LIVE_MS;
    this.#endSubscription = this.#connection.subscribe((isConnected) => {
      this.#connectedSinceMs = isConnected ? (this.#connectedSinceMs ?? this.#clock.monotonicMs()) : null;
      if (isConnected && this.#joined.size > 0) void this.#refresh();
    });
  }

  async join(id: string): Promise<void> {
    this.#assertOpen();
    // Wanted even when it cannot be said now: it is said as soon as Redis is back.
    this.#joined.add(id);
    this.#refreshTimer ??= this.#planRefresh();
    await this.#say(id);
  }

  async isPresent(id: string): Promise<boolean> {
    this.#assertOpen();
    if ((await this.#connection.call('EXISTS', this.#key(id))) === 1) return true;
    const forMs = this.#connectedSinceMs === null ? 0 : this.#clock.monotonicMs() - this.#connectedSinceMs;
    if (forMs >= this.#timeToLiveMs) return false;
    throw new FlotillaError(
      'unavailable',
      `whether ${id} lives is not known yet: Redis was away until ${forMs} ms ago`,
      {
        hint: `Ask again when it has been there for ${this.#timeToLiveMs} ms.`,
      },
    );
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#refreshTimer?.cancel();
    this.#endSubscription();
    const ids = [...this.#joined];
    this.#joined.clear();
    try {
      for (const id of ids) await this.#connection.call('DEL', this.#key(id));
    } catch (error) {
      // They go by themselves when their time is over.
      this.#logger.debug('membership was not taken back', { error: FlotillaError.from(error) });
    }
  }

  async #say(id: string): Promise<void> {
    await this.#connection.call('SET', this.#key(id), 'present', 'PX', this.#timeToLiveMs);
  }

  async #refresh(): Promise<void> {
    try {
      for (const id of this.#joined) await this.#say(id);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) {
        this.#logger.warn('others may soon take this process for gone: its membership could not be refreshed', {
          error: FlotillaError.from(error),
        });
      }
      this.#isFailing = true;
    }
  }

  #planRefresh(): Timer {
    return this.#clock.after(this.#timeToLiveMs / REFRESHES_PER_LIFE, () => {
      if (this.#isClosed) return;
      void this.#refresh();
      this.#refreshTimer = this.#planRefresh();
    });
  }

  #key(id: string): string {
    return this.#connection.key(`member:${id}`);
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new FlotillaError('unavailable', 'the membership is closed');
  }
}
